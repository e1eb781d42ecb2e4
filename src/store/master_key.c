/*
 * master_key.c: which of the master keys that secrets were sealed with this server has; sealing anew what an older one sealed.
 *
 * 1. wf.master_key has a check value of each key that ever sealed something; rows of secrets name it by its number. The server
 *    has one key, and maybe the previous one: they are told by their check values, not by settings.
 * 2. The first secret of an installation registers the current key. Another one is registered only when the previous key is one
 *    that is known: so whoever gives the server a wrong key, and no previous one, is told, and nothing is sealed with it.
 * 3. Sealing anew goes through the rows in the order of their index, some in each transaction, and passes over those that
 *    somebody has locked, who may be about to set or drop them. It changes neither version nor time. A crash loses the
 *    transaction at hand and no more; what is left is found by the number of its key.
 */
#include "postgres.h"

#include "base/crypt.h"
#include "base/fault.h"
#include "base/secret.h"
#include "miscadmin.h"
#include "store/secret.h"
#include "store/statements.h"
#include "utils/builtins.h"

/* -- which keys there are -- */

/* Has the server this key, and is its check value this one? */
static bool
is_ours(WfMasterKey which, const bytea *known)
{
	uint8		ours[WF_SECRET_CHECK_BYTES];

	if (wf_master_key_problem(which) != NULL || VARSIZE_ANY_EXHDR(known) != WF_SECRET_CHECK_BYTES)
		return false;
	wf_secret_check_value(which, ours);
	return wf_crypt_equal((const uint8 *) VARDATA_ANY(known), ours, WF_SECRET_CHECK_BYTES);
}

void
wf_store_master_keys(WfMasterKeyIds *out)
{
	uint64		n = wf_store_execute_latest(WF_SQL_MASTER_KEYS, NULL, NULL);

	memset(out, 0, sizeof(*out));
	out->n_known = (int) n;
	for (uint64 i = 0; i < n; i++)
	{
		bytea	   *known = wf_store_bytea(i, 2);

		if (is_ours(WF_MASTER_KEY_CURRENT, known))
			out->current = wf_store_int(i, 1);
		else if (is_ours(WF_MASTER_KEY_PREVIOUS, known))
			out->previous = wf_store_int(i, 1);
	}
	SPI_freetuptable(SPI_tuptable);
}

static WfError *
wrong_key(void)
{
	return wf_error_make(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
						 "Give the server the key that it had when the secrets were set, in \"workflow.master_key_file\", or in \"workflow.master_key_previous_file\" when another one takes its place, and restart it; or drop the secrets: docs/secrets.md tells how.",
						 "the master key is not the one that the secrets were encrypted with");
}

WfError *
wf_store_master_key_problem(WfMasterKeyIds *keys)
{
	WfError    *problem;

	wf_store_master_keys(keys);
	if (keys->n_known == 0 || keys->current != 0 || keys->previous != 0)
		return NULL;
	problem = wf_master_key_problem(WF_MASTER_KEY_CURRENT);
	return problem != NULL ? problem : wrong_key();
}

int
wf_store_sealing_key(void)
{
	WfError    *problem = wf_master_key_problem(WF_MASTER_KEY_CURRENT);
	WfMasterKeyIds keys;

	if (problem != NULL)
		wf_error_raise(problem);
	wf_store_master_keys(&keys);
	if (keys.current == 0 && (keys.n_known == 0 || keys.previous != 0))
	{
		bytea	   *value = palloc(VARHDRSZ + WF_SECRET_CHECK_BYTES);
		Datum		values[1] = {PointerGetDatum(value)};

		SET_VARSIZE(value, VARHDRSZ + WF_SECRET_CHECK_BYTES);
		wf_secret_check_value(WF_MASTER_KEY_CURRENT, (uint8 *) VARDATA(value));
		wf_store_execute(WF_SQL_PUT_MASTER_KEY, values, NULL);
		wf_store_master_keys(&keys);
	}
	if (keys.current == 0)
		wf_error_raise(wrong_key());
	return keys.current;
}

bool
wf_store_key_of(const WfMasterKeyIds *keys, int key_id, WfMasterKey *out)
{
	if (key_id == 0 || (key_id != keys->current && key_id != keys->previous))
		return false;
	*out = key_id == keys->current ? WF_MASTER_KEY_CURRENT : WF_MASTER_KEY_PREVIOUS;
	return true;
}

bool
wf_store_has_master_key(const bytea *check_value)
{
	return is_ours(WF_MASTER_KEY_CURRENT, check_value) || is_ours(WF_MASTER_KEY_PREVIOUS, check_value);
}

/* -- sealing anew -- */

/* A row of the answer, sealed with the current key, its number being `key_id`; false: it can not be opened. */
static bool
reseal_row(uint64 row, int key_id)
{
	pg_uuid_t	tenant_id;
	char	   *name = wf_store_text(row, 1);
	WfSecretId	id = {.tenant_id = &tenant_id, .name = name, .version = wf_store_int(row, 2), .type = wf_store_text(row, 6)};
	bytea	   *nonce = wf_store_bytea(row, 4);
	bytea	   *sealed = wf_store_bytea(row, 5);
	SPITupleTable *rows = SPI_tuptable;
	Datum		values[6];
	char	   *value;
	int			len;

	wf_store_uuid(row, 7, &tenant_id);
	value = wf_secret_open(&id, WF_MASTER_KEY_PREVIOUS, nonce, sealed, &len);
	if (value == NULL)
		return false;
	sealed = wf_secret_seal(&id, value, len, &nonce);
	explicit_bzero(value, len);
	values[0] = UUIDPGetDatum(&tenant_id);
	values[1] = CStringGetTextDatum(name);
	values[2] = Int32GetDatum(id.version);
	values[3] = Int32GetDatum(key_id);
	values[4] = PointerGetDatum(nonce);
	values[5] = PointerGetDatum(sealed);
	wf_store_execute(WF_SQL_RESEAL, values, NULL);
	SPI_tuptable = rows;
	return true;
}

static bool
has_old(int key_id)
{
	Datum		values[1] = {Int32GetDatum(key_id)};
	bool		found = wf_store_execute_latest(WF_SQL_HAS_OLD_SECRETS, values, NULL) > 0;

	SPI_freetuptable(SPI_tuptable);
	return found;
}

bool
wf_store_reseal(WfResealing *at, int most)
{
	Datum		values[4];
	WfMasterKeyIds keys;
	uint64		n;
	int			key_id;

	wf_store_master_keys(&keys);
	if (keys.previous == 0 || !has_old(keys.previous))
		return false;
	key_id = wf_store_sealing_key();
	values[0] = UUIDPGetDatum(&at->tenant_id);
	values[1] = CStringGetTextDatum(at->name);
	values[2] = Int32GetDatum(keys.previous);
	values[3] = Int32GetDatum(most);
	n = wf_store_execute(WF_SQL_OLD_SECRETS, values, NULL);
	for (uint64 i = 0; i < n; i++)
	{
		if (reseal_row(i, key_id))
			at->n_done++;
		else
			at->n_broken++;
		if (i == n - 1)
		{
			char	   *name = wf_store_text(i, 1);

			wf_store_uuid(i, 7, &at->tenant_id);
			strlcpy(at->name, name, sizeof(at->name));
		}
	}
	SPI_freetuptable(SPI_tuptable);
	WF_FAULT("secret.resealed");
	return n == most;
}

bool
wf_store_has_old_secrets(void)
{
	WfMasterKeyIds keys;

	wf_store_master_keys(&keys);
	return keys.previous != 0 && has_old(keys.previous);
}
