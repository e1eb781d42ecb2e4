/*
 * secret.c: rows of secrets, and the check of the master key.
 *
 * 1. A value is sealed for its version (base/secret.c), so the number is taken first: the current version is ended, which
 *    waits for whoever else does so; the next number is read; the row is inserted. Whoever lost a race meets the other's row
 *    there, and begins anew with its number.
 * 2. The number goes on after a secret was dropped: no two values of a name are ever sealed for the same version.
 * 3. The first secret of an installation registers the check value of its master key. From then on another key is refused
 *    before anything is encrypted or decrypted with it.
 */
#include "postgres.h"

#include "base/crypt.h"
#include "base/secret.h"
#include "base/text.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "store/secret.h"
#include "store/statements.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define HINT_NAMES 1000			/* looked at for a hint */

/* -- the master key -- */

/* The id of the installation's key, 0 when it has none yet; *matches: it is ours. Needs a key of our own. */
static int
registered_key(const uint8 *check_value, bool *matches)
{
	int			key_id = 0;

	*matches = false;
	if (wf_store_execute_latest(WF_SQL_MASTER_KEY, NULL, NULL) > 0)
	{
		bytea	   *known = wf_store_bytea(0, 2);

		key_id = wf_store_int(0, 1);
		*matches = VARSIZE_ANY_EXHDR(known) == WF_SECRET_CHECK_BYTES &&
			wf_crypt_equal((const uint8 *) VARDATA_ANY(known), check_value, WF_SECRET_CHECK_BYTES);
	}
	SPI_freetuptable(SPI_tuptable);
	return key_id;
}

static WfError *
wrong_key(void)
{
	return wf_error_make(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
						 "Give the server the key that it had when the secrets were set, and restart it; or drop the secrets: docs/secrets.md tells how.",
						 "the master key is not the one that the secrets were encrypted with");
}

/* The id of the key to seal with; throws 55000. */
static int
current_key(void)
{
	WfError    *problem = wf_master_key_problem();
	uint8		check_value[WF_SECRET_CHECK_BYTES];
	bool		matches;
	int			key_id;

	if (problem != NULL)
		wf_error_raise(problem);
	wf_secret_check_value(check_value);
	key_id = registered_key(check_value, &matches);
	if (key_id == 0)
	{
		bytea	   *value = palloc(VARHDRSZ + WF_SECRET_CHECK_BYTES);
		Datum		values[1] = {PointerGetDatum(value)};

		SET_VARSIZE(value, VARHDRSZ + WF_SECRET_CHECK_BYTES);
		memcpy(VARDATA(value), check_value, WF_SECRET_CHECK_BYTES);
		wf_store_execute(WF_SQL_PUT_MASTER_KEY, values, NULL);
		key_id = registered_key(check_value, &matches);
	}
	if (!matches)
		wf_error_raise(wrong_key());
	return key_id;
}

WfError *
wf_store_master_key_problem(void)
{
	WfError    *problem = wf_master_key_problem();
	uint8		check_value[WF_SECRET_CHECK_BYTES] = {0};
	bool		matches;

	if (problem == NULL)
		wf_secret_check_value(check_value);
	if (registered_key(check_value, &matches) == 0)
		return NULL;
	return problem != NULL ? problem : matches ? NULL : wrong_key();
}

/* -- changes -- */

static int
next_version(const pg_uuid_t *tenant_id, const char *name)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(name)};
	int			version;

	wf_store_execute(WF_SQL_SECRET_VERSION, values, NULL);
	version = wf_store_int(0, 1);
	SPI_freetuptable(SPI_tuptable);
	if (version == PG_INT32_MAX)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("secret \"%s\" has too many versions", name)));
	return version + 1;
}

static bool
end_secret(const pg_uuid_t *tenant_id, const char *name, bool dropped)
{
	Datum		values[3] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(name), BoolGetDatum(dropped)};

	return wf_store_execute(WF_SQL_END_SECRET, values, NULL) > 0;
}

void
wf_store_set_secret(const pg_uuid_t *tenant_id, const char *name, const char *value, int len)
{
	int			key_id = current_key();

	for (;;)
	{
		WfSecretId	id = {.tenant_id = tenant_id, .name = name};
		Datum		values[7];
		bytea	   *nonce;
		bytea	   *sealed;

		CHECK_FOR_INTERRUPTS();
		(void) end_secret(tenant_id, name, false);
		id.version = next_version(tenant_id, name);
		sealed = wf_secret_seal(&id, value, len, &nonce);
		values[0] = UUIDPGetDatum(tenant_id);
		values[1] = CStringGetTextDatum(name);
		values[2] = Int32GetDatum(id.version);
		values[3] = Int32GetDatum(key_id);
		values[4] = PointerGetDatum(nonce);
		values[5] = PointerGetDatum(sealed);
		values[6] = ObjectIdGetDatum(GetUserId());
		if (wf_store_execute(WF_SQL_INSERT_SECRET, values, NULL) > 0)
			return;
	}
}

bool
wf_store_drop_secret(const pg_uuid_t *tenant_id, const char *name)
{
	return end_secret(tenant_id, name, true);
}

/* -- reading -- */

bool
wf_store_has_secret(const pg_uuid_t *tenant_id, const char *name)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(name)};
	bool		found = wf_store_execute(WF_SQL_HAS_SECRET, values, NULL) > 0;

	SPI_freetuptable(SPI_tuptable);
	return found;
}

bool
wf_store_hold_secret(const pg_uuid_t *tenant_id, const char *name, int version, bool *is_locked)
{
	Datum		values[3] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(name), Int32GetDatum(version)};
	bool		is_held = wf_store_execute(WF_SQL_HOLD_SECRET, values, NULL) > 0;

	SPI_freetuptable(SPI_tuptable);
	*is_locked = false;
	if (is_held)
		return true;
	*is_locked = wf_store_execute_latest(WF_SQL_HAS_SECRET, values, NULL) > 0 && wf_store_int(0, 1) == version;
	SPI_freetuptable(SPI_tuptable);
	return false;
}

WfError *
wf_store_no_secret(const pg_uuid_t *tenant_id, const char *name)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), Int32GetDatum(HINT_NAMES)};
	int			n = (int) wf_store_execute(WF_SQL_SECRET_NAMES, values, NULL);
	const char **names = palloc(sizeof(char *) * Max(n, 1));
	const char *hint;

	for (int i = 0; i < n; i++)
		names[i] = wf_store_text(i, 1);
	SPI_freetuptable(SPI_tuptable);
	hint = wf_text_did_you_mean(wf_text_clip(name), names, n);
	return wf_error_make(WF_ERRCODE_SECRET_MISSING, hint != NULL ? hint : "wf_set_secret() sets it.",
						 "secret \"%s\" does not exist", wf_text_clip(name));
}

/* The value of row i of the answer for `names`; NULL: it can not be opened. */
static const char *
open_row(const pg_uuid_t *tenant_id, uint64 row, const char *const *names, int n, WfSecretValue *values)
{
	char	   *name = wf_store_text(row, 1);
	WfSecretId	id = {.tenant_id = tenant_id, .name = name, .version = wf_store_int(row, 2)};
	bytea	   *nonce = wf_store_bytea(row, 4);
	bytea	   *sealed = wf_store_bytea(row, 5);

	for (int i = 0; i < n; i++)
	{
		if (strcmp(names[i], name) != 0)
			continue;
		values[i].version = id.version;
		if (nonce != NULL && sealed != NULL)
			values[i].value = wf_secret_open(&id, nonce, sealed, &values[i].len);
		return values[i].value != NULL ? NULL : names[i];
	}
	return NULL;
}

WfError *
wf_store_open_secrets(const pg_uuid_t *tenant_id, const char *const *names, int n, WfSecretValue **out)
{
	WfSecretValue *values = palloc0(sizeof(WfSecretValue) * Max(n, 1));
	Datum	   *texts = palloc(sizeof(Datum) * Max(n, 1));
	WfError    *problem = n == 0 ? NULL : wf_store_master_key_problem();
	const char *broken = NULL;
	Datum		arguments[2];
	uint64		n_rows;

	for (int i = 0; i < n; i++)
	{
		values[i].name = names[i];
		texts[i] = CStringGetTextDatum(names[i]);
	}
	*out = values;
	if (n == 0 || problem != NULL)
		return problem;
	arguments[0] = UUIDPGetDatum(tenant_id);
	arguments[1] = PointerGetDatum(construct_array(texts, n, TEXTOID, -1, false, TYPALIGN_INT));
	n_rows = wf_store_execute_latest(WF_SQL_FIND_SECRETS, arguments, NULL);
	for (uint64 i = 0; i < n_rows && broken == NULL; i++)
		broken = open_row(tenant_id, i, names, n, values);
	SPI_freetuptable(SPI_tuptable);
	if (broken != NULL)
		problem = wf_error_make(ERRCODE_DATA_CORRUPTED, "Set it again with wf_set_secret().",
								"secret \"%s\" can not be decrypted: its row is not as it was written", broken);
	for (int i = 0; i < n && problem == NULL; i++)
		if (values[i].value == NULL)
			problem = wf_store_no_secret(tenant_id, names[i]);
	if (problem == NULL)
		return NULL;
	wf_marker_wipe(values, n);
	*out = NULL;
	return problem;
}
