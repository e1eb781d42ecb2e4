/*
 * secret.h: rows of secrets and credentials, and the master keys that seal them. Callers hold an SPI connection; results are in
 * CurrentMemoryContext.
 */
#ifndef WF_STORE_SECRET_H
#define WF_STORE_SECRET_H

#include "postgres.h"
#include "base/credential.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/secret_marker.h"
#include "utils/uuid.h"

/* -- secrets (secret.c) -- */

/*
 * Encrypts a value and makes it the current version of a secret; the one before loses its value. Throws 55000 when there is
 * no master key, or it is not the one that this installation's secrets are encrypted with, 42710 when a credential has the name;
 * nothing of the value is in any message.
 */
extern void wf_store_set_secret(const pg_uuid_t *tenant_id, const char *name, const char *value, int len);
/* False when there is none. Needs no key. */
extern bool wf_store_drop_secret(const pg_uuid_t *tenant_id, const char *name);
extern bool wf_store_has_secret(const pg_uuid_t *tenant_id, const char *name);
/* Locks a secret or credential of this version without waiting. False: it is another one by now, or dropped, or (*is_locked)
 * somebody else is changing it. */
extern bool wf_store_hold_secret(const pg_uuid_t *tenant_id, const char *name, int version, bool *is_locked);
/* An error WF013 about a secret that is not there, with the nearest name as hint. */
extern WfError *wf_store_no_secret(const pg_uuid_t *tenant_id, const char *name);

/*
 * The values of secrets (each name once) as of now, in the order of `names`, for whoever sends requests; no right is asked
 * for. NULL, with *out set: memory of wf_secret_alloc, wiped with CurrentMemoryContext; names are borrowed. Else why not, and
 * nothing is left: WF013 when one is missing, 55000 for the master key, XX001 when what is stored was tampered with.
 */
extern WfError *wf_store_open_secrets(const pg_uuid_t *tenant_id, const char *const *names, int n, WfSecretValue **out);

/* -- credentials (secret.c) -- */

/* As wf_store_set_secret, of the fields of a credential, packed; `shown` are those that are not secret. 42710: a secret has the name. */
extern void wf_store_set_credential(const pg_uuid_t *tenant_id, const char *name, const WfCredentialType *type, Jsonb *shown,
									const char *packed, int len);
/* False when there is none. */
extern bool wf_store_drop_credential(const pg_uuid_t *tenant_id, const char *name);
/* NULL: there is none of this name. */
extern const WfCredentialType *wf_store_credential_type(const pg_uuid_t *tenant_id, const char *name);
extern WfError *wf_store_no_credential(const pg_uuid_t *tenant_id, const char *name);
/* As wf_store_open_secrets: the packed fields. */
extern WfError *wf_store_open_credential(const pg_uuid_t *tenant_id, const char *name, const WfCredentialType **type,
										 WfSecretValue *out);
/* The next version, with another value of a field; for who has locked the current one. Throws as setting does. */
extern void wf_store_set_credential_field(const pg_uuid_t *tenant_id, const char *name, const char *key, const char *value, int len);

/* -- master keys (master_key.c) -- */

typedef struct WfMasterKeyIds
{
	int			current;		/* the number of the server's key; 0: it has sealed nothing yet, or there is none */
	int			previous;		/* the same of the previous one */
	int			n_known;		/* that ever sealed something */
} WfMasterKeyIds;
extern void wf_store_master_keys(WfMasterKeyIds *out);
/* Which of the server's keys has this number? False: none. */
extern bool wf_store_key_of(const WfMasterKeyIds *keys, int key_id, WfMasterKey *out);
/* The number of the key that values are sealed with, which is registered if it was not; throws 55000. */
extern int	wf_store_sealing_key(void);
/* Has the server the key of this check value? */
extern bool wf_store_has_master_key(const bytea *check_value);
/* NULL when the server has a key that secrets were sealed with, or no secret was ever set; else 55000. *keys as above. */
extern WfError *wf_store_master_key_problem(WfMasterKeyIds *keys);

/* How far sealing anew has come. Zero: at the beginning. */
typedef struct WfResealing
{
	pg_uuid_t	tenant_id;		/* the last that was looked at */
	char		name[WF_SECRET_NAME_BYTES + 1];
	int			n_done;
	int			n_broken;		/* that can not be opened, and stay as they are */
} WfResealing;
/* Seals up to so many secrets with the current key that the previous one has sealed, and that nobody has locked. False: that was
 * all there is to do, but for what was passed over. For the keeper, a transaction of its own each time. */
extern bool wf_store_reseal(WfResealing *at, int most);
/* Is there something that the previous key has sealed? */
extern bool wf_store_has_old_secrets(void);

#endif
