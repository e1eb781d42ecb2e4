/*
 * secret.h: sealing secrets: the master key, the keys made of it, memory that is wiped.
 *
 * A secret's value is encrypted with a key of its tenant's, which is derived from the master key each time it is needed and
 * kept nowhere. The associated data are tenant, name and version: a ciphertext that is moved to another row can't be opened.
 */
#ifndef WF_BASE_SECRET_H
#define WF_BASE_SECRET_H

#include "postgres.h"
#include "base/error.h"
#include "utils/uuid.h"

#define WF_SECRET_NAME_BYTES 128
#define WF_SECRET_VALUE_BYTES (64 * 1024)
#define WF_SECRET_CHECK_BYTES 32
#define WF_SECRET_TYPE_BYTES 32

/* [A-Za-z_][A-Za-z0-9_]*, at most WF_SECRET_NAME_BYTES. */
extern bool wf_secret_name_is_valid(const char *name, int len);

/* -- the master key (master_key.c) -- */

typedef enum WfMasterKey
{
	WF_MASTER_KEY_CURRENT,		/* values are sealed with it */
	WF_MASTER_KEY_PREVIOUS,		/* opens those that were sealed with it, until they are sealed anew; or there is none */
} WfMasterKey;
#define WF_MASTER_KEYS 2

/* Reads them, when the library is preloaded; once from _PG_init. Never throws: what is wrong is a warning in the log. */
extern void wf_master_key_init(void);
/* NULL when there is this key (it is read now if it was not yet), else why not: 55000, in CurrentMemoryContext. */
extern WfError *wf_master_key_problem(WfMasterKey which);
/* Makes a key of a master key for a purpose; false when there is none or OpenSSL fails. The caller wipes `out`. */
extern bool wf_master_key_derive(WfMasterKey which, const char *purpose, const uint8 *info, int info_len, uint8 *out, int out_len);
#ifdef WF_TESTING
/* Puts another one into this backend's memory: 32 bytes; NULL: forgets it, and reads it again when it is asked for. */
extern void wf_master_key_replace(WfMasterKey which, const uint8 *key);
#endif

/* -- values (secret.c) -- */

typedef struct WfSecretId
{
	const pg_uuid_t *tenant_id;
	const char *name;
	int			version;
	const char *type;			/* of a credential; NULL: a secret */
} WfSecretId;

/* What is known of a master key without knowing it: the same for the same key, whatever the installation. Call
 * wf_master_key_problem first; throws 55000. */
extern void wf_secret_check_value(WfMasterKey which, uint8 out[WF_SECRET_CHECK_BYTES]);

/* Encrypts with the current key; ciphertext with its tag, and a fresh nonce, in CurrentMemoryContext. Call wf_master_key_problem first; throws
 * XX000 when OpenSSL fails, never with anything of the value. */
extern bytea *wf_secret_seal(const WfSecretId *id, const char *value, int len, bytea **nonce);
/* Decrypts into memory of wf_secret_alloc, ended by a NUL; NULL when that is not what was sealed for this id. */
extern char *wf_secret_open(const WfSecretId *id, WfMasterKey which, const bytea *nonce, const bytea *sealed, int *len);

/* Memory in CurrentMemoryContext that is wiped when that is reset or deleted, whatever the reason. It can't be given back
 * before (pfree), and not grow: wipe it (explicit_bzero) when it has served. */
extern void *wf_secret_alloc(Size size);

#endif
