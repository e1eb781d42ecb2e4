/*
 * secret.c: sealing and opening values.
 *
 * 1. The key of a tenant is HKDF-SHA256 of the master key, with "workflow secret" and the tenant's id. It is made for one
 *    operation, on the stack, and wiped.
 * 2. AES-256-GCM with a random nonce of 96 bits. A tenant's key would have to seal 2^32 values before two nonces were likely
 *    (2^-33) to be the same.
 * 3. Associated data: a format number, the tenant's id, the version, the name; of a credential (format 2) its type, too. None of
 *    them can be exchanged, and of a name's versions none can stand for another.
 * 4. An opened value is in memory that wipes itself when its context goes (wf_secret_alloc), so an ERROR leaves none behind.
 *
 * Nothing of a value or a key is in any message. The length of a value can be told from its ciphertext.
 */
#include "postgres.h"

#include "base/crypt.h"
#include "base/secret.h"
#include "port/pg_bswap.h"
#include "utils/memutils.h"

#define FORMAT 1
#define FORMAT_TYPED 2
#define MOST_ASSOCIATED (1 + UUID_LEN + sizeof(uint32) + WF_SECRET_NAME_BYTES + 1 + WF_SECRET_TYPE_BYTES)

bool
wf_secret_name_is_valid(const char *name, int len)
{
	if (len == 0 || len > WF_SECRET_NAME_BYTES || (name[0] >= '0' && name[0] <= '9'))
		return false;
	for (int i = 0; i < len; i++)
		if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') ||
			  (name[i] >= '0' && name[i] <= '9') || name[i] == '_'))
			return false;
	return true;
}

static int
associated_data(const WfSecretId *id, uint8 *out)
{
	uint32		version = pg_hton32((uint32) id->version);
	int			name_len = strlen(id->name);
	int			type_len = id->type == NULL ? 0 : strlen(id->type);
	int			len = 1 + UUID_LEN + sizeof(version) + name_len;

	Assert(name_len <= WF_SECRET_NAME_BYTES && type_len <= WF_SECRET_TYPE_BYTES);
	out[0] = id->type == NULL ? FORMAT : FORMAT_TYPED;
	memcpy(out + 1, id->tenant_id->data, UUID_LEN);
	memcpy(out + 1 + UUID_LEN, &version, sizeof(version));
	memcpy(out + 1 + UUID_LEN + sizeof(version), id->name, name_len);
	if (id->type == NULL)
		return len;
	out[len++] = ' ';			/* in no name */
	memcpy(out + len, id->type, type_len);
	return len + type_len;
}

static bool
tenant_key(WfMasterKey which, const pg_uuid_t *tenant_id, uint8 *key)
{
	return wf_master_key_derive(which, "workflow secret", tenant_id->data, UUID_LEN, key, WF_CRYPT_KEY_BYTES);
}

void
wf_secret_check_value(WfMasterKey which, uint8 out[WF_SECRET_CHECK_BYTES])
{
	if (!wf_master_key_derive(which, "workflow check value", NULL, 0, out, WF_SECRET_CHECK_BYTES))
		elog(ERROR, "could not derive a key from the master key");
}

bytea *
wf_secret_seal(const WfSecretId *id, const char *value, int len, bytea **nonce)
{
	bytea	   *sealed = palloc(VARHDRSZ + len + WF_CRYPT_TAG_BYTES);
	uint8		associated[MOST_ASSOCIATED];
	int			associated_len = associated_data(id, associated);
	uint8		key[WF_CRYPT_KEY_BYTES];
	bool		done;

	*nonce = palloc(VARHDRSZ + WF_CRYPT_NONCE_BYTES);
	SET_VARSIZE(*nonce, VARHDRSZ + WF_CRYPT_NONCE_BYTES);
	SET_VARSIZE(sealed, VARHDRSZ + len + WF_CRYPT_TAG_BYTES);
	if (!pg_strong_random(VARDATA(*nonce), WF_CRYPT_NONCE_BYTES))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values")));
	done = tenant_key(WF_MASTER_KEY_CURRENT, id->tenant_id, key) &&
		wf_crypt_seal(key, (uint8 *) VARDATA(*nonce), associated, associated_len, (const uint8 *) value, len,
					  (uint8 *) VARDATA(sealed));
	explicit_bzero(key, sizeof(key));
	if (!done)
		elog(ERROR, "could not encrypt");
	return sealed;
}

char *
wf_secret_open(const WfSecretId *id, WfMasterKey which, const bytea *nonce, const bytea *sealed, int *len)
{
	uint8		associated[MOST_ASSOCIATED];
	int			sealed_len = VARSIZE_ANY_EXHDR(sealed);
	uint8		key[WF_CRYPT_KEY_BYTES];
	int			associated_len;
	char	   *value;
	bool		done;

	if (VARSIZE_ANY_EXHDR(nonce) != WF_CRYPT_NONCE_BYTES || sealed_len < WF_CRYPT_TAG_BYTES ||
		strlen(id->name) > WF_SECRET_NAME_BYTES || (id->type != NULL && strlen(id->type) > WF_SECRET_TYPE_BYTES))
		return NULL;
	associated_len = associated_data(id, associated);
	*len = sealed_len - WF_CRYPT_TAG_BYTES;
	value = wf_secret_alloc(*len + 1);
	done = tenant_key(which, id->tenant_id, key) &&
		wf_crypt_open(key, (const uint8 *) VARDATA_ANY(nonce), associated, associated_len,
					  (const uint8 *) VARDATA_ANY(sealed), sealed_len, (uint8 *) value);
	explicit_bzero(key, sizeof(key));
	value[*len] = '\0';
	return done ? value : NULL;
}

/* -- memory -- */

typedef struct Wiped
{
	MemoryContextCallback callback;
	Size		size;
} Wiped;

static void
wipe(void *arg)
{
	Wiped	   *wiped = arg;

	explicit_bzero((char *) wiped + MAXALIGN(sizeof(Wiped)), wiped->size);
}

void *
wf_secret_alloc(Size size)
{
	Wiped	   *wiped = palloc0(MAXALIGN(sizeof(Wiped)) + size);

	wiped->size = size;
	wiped->callback.func = wipe;
	wiped->callback.arg = wiped;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &wiped->callback);
	return (char *) wiped + MAXALIGN(sizeof(Wiped));
}
