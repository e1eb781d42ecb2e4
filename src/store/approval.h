/*
 * approval.h: versions that a second person has to approve before they become active (wf.approval).
 *
 * Callers hold an SPI connection, and the lock of the workflow's row where something is changed.
 */
#ifndef WF_STORE_APPROVAL_H
#define WF_STORE_APPROVAL_H

#include "postgres.h"
#include "utils/uuid.h"

/* Which version of which workflow. */
typedef struct WfVersionKey
{
	pg_uuid_t	tenant_id;
	pg_uuid_t	workflow_id;
	int			version;
} WfVersionKey;

/* Does the tenant ask for approval, and this version, as it is stored, has none? */
extern bool wf_store_needs_approval(const WfVersionKey *key);
/* Asks for it, in the name of current_user, who is connected as the session's user; if somebody has, that stands. */
extern void wf_store_request_approval(const WfVersionKey *key, bool sets_status);

typedef struct WfApproval
{
	pg_uuid_t	approval_id;
	bool		is_same;		/* the definition is what approval was asked for */
	bool		sets_status;
	bool		is_own;			/* current_user, or the session's, has asked or saved the version */
} WfApproval;

/* The request that is pending, locked; false: there is none. */
extern bool wf_store_pending_approval(const WfVersionKey *key, WfApproval *out);
extern void wf_store_decide_approval(const pg_uuid_t *tenant_id, const WfApproval *approval, bool approved, const char *comment);

#endif
