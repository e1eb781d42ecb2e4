/*
 * member.h: what memberships are narrowed to. Private to this room.
 */
#ifndef WF_STORE_MEMBER_H
#define WF_STORE_MEMBER_H

#include "store/statements.h"
#include "store/store.h"

/* A membership that is for some workflows of a tenant only. */
typedef struct WfNarrowing
{
	uint32		permissions;	/* within WF_OF_WORKFLOWS */
	pg_uuid_t	workflow_id;	/* when there is no category */
	const char *category;		/* a folder: itself and those below it; or NULL */
} WfNarrowing;

/* Those of current_user in a tenant; valid until anything else is looked up. */
extern const WfNarrowing *wf_store_narrowings(const pg_uuid_t *tenant_id, int *n);

/* The workflow of what has this id, by a statement that finds it; false: there is no such thing. Own SPI. */
extern bool wf_store_workflow_of(WfStatementId statement, const pg_uuid_t *tenant_id, const pg_uuid_t *id,
								 pg_uuid_t *workflow_id);

#endif
