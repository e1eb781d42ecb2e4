/*
 * secret.h: rows of secrets. Callers hold an SPI connection; results are in CurrentMemoryContext.
 */
#ifndef WF_STORE_SECRET_H
#define WF_STORE_SECRET_H

#include "postgres.h"
#include "base/error.h"
#include "base/secret_marker.h"
#include "utils/uuid.h"

/*
 * Encrypts a value and makes it the current version of a secret; the one before loses its value. Throws 55000 when there is
 * no master key, or it is not the one that this installation's secrets are encrypted with; nothing of the value is in any
 * message.
 */
extern void wf_store_set_secret(const pg_uuid_t *tenant_id, const char *name, const char *value, int len);
/* False when there is none. Needs no key. */
extern bool wf_store_drop_secret(const pg_uuid_t *tenant_id, const char *name);
extern bool wf_store_has_secret(const pg_uuid_t *tenant_id, const char *name);
/* Locks a secret of this version without waiting. False: it is another one by now, or dropped, or (*is_locked) somebody else is changing it. */
extern bool wf_store_hold_secret(const pg_uuid_t *tenant_id, const char *name, int version, bool *is_locked);
/* An error WF013 about a secret that is not there, with the nearest name as hint. */
extern WfError *wf_store_no_secret(const pg_uuid_t *tenant_id, const char *name);

/* NULL when there is a master key and it is the right one, or no secret was ever set; else 55000. For whoever opens secrets
 * to say so in the log when it begins. */
extern WfError *wf_store_master_key_problem(void);

/*
 * The values of secrets (each name once) as of now, in the order of `names`, for whoever sends requests; no right is asked
 * for. NULL, with *out set: memory of wf_secret_alloc, wiped with CurrentMemoryContext; names are borrowed. Else why not, and
 * nothing is left: WF013 when one is missing, 55000 for the master key, XX001 when what is stored was tampered with.
 */
extern WfError *wf_store_open_secrets(const pg_uuid_t *tenant_id, const char *const *names, int n, WfSecretValue **out);

#endif
