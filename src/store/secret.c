/*
 * secret.c: rows of secrets and of credentials, which are secrets with a type.
 *
 * 1. A value is sealed for its version (base/secret.c), so the number is taken first: the current version is ended, which
 *    waits for whoever else does so; the next number is read; the row is inserted. Whoever lost a race meets the other's row
 *    there, and begins anew with its number.
 * 2. The number goes on after a secret was dropped: no two values of a name are ever sealed for the same version.
 * 3. Secrets and credentials share their names, and so their versions: no two ciphertexts of a tenant's are for the same name and
 *    version. What a row shows of a credential (its type, the fields that are no secret) is for people; the type is bound to
 *    the ciphertext, which has all the fields.
 */
#include "postgres.h"

#include "base/secret.h"
#include "base/text.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "store/secret.h"
#include "store/statements.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define HINT_NAMES 1000			/* looked at for a hint */

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
end_secret(const pg_uuid_t *tenant_id, const char *name, bool is_credential, bool dropped)
{
	Datum		values[4] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(name), BoolGetDatum(dropped), BoolGetDatum(is_credential)};

	return wf_store_execute(WF_SQL_END_SECRET, values, NULL) > 0;
}

/* What there is of a name. */
typedef struct Found
{
	int			version;		/* 0: nothing */
	char	   *type;			/* of a credential; NULL: it is a secret */
	Jsonb	   *fields;
} Found;

static Found
find(const pg_uuid_t *tenant_id, const char *name, bool latest)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(name)};
	Found		found = {0};

	if ((latest ? wf_store_execute_latest : wf_store_execute) (WF_SQL_HAS_SECRET, values, NULL) > 0)
	{
		found.version = wf_store_int(0, 1);
		found.type = wf_store_text(0, 2);
		found.fields = wf_store_jsonb(0, 3);
	}
	SPI_freetuptable(SPI_tuptable);
	return found;
}

static void
refuse_other_kind(const pg_uuid_t *tenant_id, const char *name, bool is_credential)
{
	Found		found = find(tenant_id, name, true);

	if (found.version != 0 && (found.type != NULL) != is_credential)
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT),
						errmsg("there is a %s \"%s\"", is_credential ? "secret" : "credential", name),
						errhint("Secrets and credentials share their names: choose another one, or drop it with %s().",
								is_credential ? "wf_drop_secret" : "wf_drop_credential")));
}

/* Makes the value the current version; `shown` is NULL for a secret. */
static void
set_value(const pg_uuid_t *tenant_id, const char *name, const char *type, Jsonb *shown, const char *value, int len)
{
	int			key_id = wf_store_sealing_key();

	for (;;)
	{
		WfSecretId	id = {.tenant_id = tenant_id, .name = name, .type = type};
		Datum		values[9];
		bytea	   *nonce;
		bytea	   *sealed;

		CHECK_FOR_INTERRUPTS();
		refuse_other_kind(tenant_id, name, type != NULL);
		(void) end_secret(tenant_id, name, type != NULL, false);
		id.version = next_version(tenant_id, name);
		sealed = wf_secret_seal(&id, value, len, &nonce);
		values[0] = UUIDPGetDatum(tenant_id);
		values[1] = CStringGetTextDatum(name);
		values[2] = Int32GetDatum(id.version);
		values[3] = Int32GetDatum(key_id);
		values[4] = PointerGetDatum(nonce);
		values[5] = PointerGetDatum(sealed);
		values[6] = ObjectIdGetDatum(GetUserId());
		values[7] = type == NULL ? (Datum) 0 : CStringGetTextDatum(type);
		values[8] = JsonbPGetDatum(shown);
		if (wf_store_execute(WF_SQL_INSERT_SECRET, values, type == NULL ? "       nn" : NULL) > 0)
			return;
	}
}

void
wf_store_set_secret(const pg_uuid_t *tenant_id, const char *name, const char *value, int len)
{
	set_value(tenant_id, name, NULL, NULL, value, len);
}

bool
wf_store_drop_secret(const pg_uuid_t *tenant_id, const char *name)
{
	return end_secret(tenant_id, name, false, true);
}

void
wf_store_set_credential(const pg_uuid_t *tenant_id, const char *name, const WfCredentialType *type, Jsonb *shown,
						const char *packed, int len)
{
	set_value(tenant_id, name, type->name, shown, packed, len);
}

bool
wf_store_drop_credential(const pg_uuid_t *tenant_id, const char *name)
{
	return end_secret(tenant_id, name, true, true);
}

void
wf_store_set_credential_field(const pg_uuid_t *tenant_id, const char *name, const char *key, const char *value, int len)
{
	const WfCredentialType *type;
	WfSecretValue current;
	WfError    *problem = wf_store_open_credential(tenant_id, name, &type, &current);
	Found		found = find(tenant_id, name, true);
	char	   *packed;
	int			packed_len;

	if (problem != NULL)
		wf_error_raise(problem);
	packed = wf_credential_repack(type, current.value, current.len, key, value, len, &packed_len);
	set_value(tenant_id, name, type->name, found.fields != NULL ? found.fields : wf_json_empty_object(), packed, packed_len);
	explicit_bzero(packed, packed_len);
	wf_marker_wipe(&current, 1);
}

/* -- reading -- */

bool
wf_store_has_secret(const pg_uuid_t *tenant_id, const char *name)
{
	Found		found = find(tenant_id, name, false);

	return found.version != 0 && found.type == NULL;
}

const WfCredentialType *
wf_store_credential_type(const pg_uuid_t *tenant_id, const char *name)
{
	Found		found = find(tenant_id, name, false);

	return found.version == 0 || found.type == NULL ? NULL : wf_credential_type(found.type);
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

static WfError *
missing(const pg_uuid_t *tenant_id, const char *name, bool is_credential)
{
	Datum		values[3] = {UUIDPGetDatum(tenant_id), Int32GetDatum(HINT_NAMES), BoolGetDatum(is_credential)};
	int			n;
	const char **names = wf_store_names(WF_SQL_SECRET_NAMES, values, &n);
	const char *hint = wf_text_did_you_mean(wf_text_clip(name), names, n);
	if (hint == NULL)
		hint = is_credential ? "wf_set_credential() sets it." : "wf_set_secret() sets it.";
	return wf_error_make(WF_ERRCODE_SECRET_MISSING, hint, "%s \"%s\" does not exist", is_credential ? "credential" : "secret",
						 wf_text_clip(name));
}

WfError *
wf_store_no_secret(const pg_uuid_t *tenant_id, const char *name)
{
	return missing(tenant_id, name, false);
}

WfError *
wf_store_no_credential(const pg_uuid_t *tenant_id, const char *name)
{
	return missing(tenant_id, name, true);
}

/* The value of row i of an answer; NULL, or why it can not be opened. */
static WfError *
open_row(const pg_uuid_t *tenant_id, uint64 row, const WfMasterKeyIds *keys, WfSecretValue *out)
{
	WfSecretId	id = {.tenant_id = tenant_id, .name = out->name, .version = wf_store_int(row, 2), .type = wf_store_text(row, 6)};
	bytea	   *nonce = wf_store_bytea(row, 4);
	bytea	   *sealed = wf_store_bytea(row, 5);
	const char *kind = id.type == NULL ? "secret" : "credential";
	WfMasterKey which;

	if (!wf_store_key_of(keys, wf_store_int(row, 3), &which))
		return wf_error_make(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
							 "Name the key that the server had before in \"workflow.master_key_previous_file\" and restart it, or set the value again.",
							 "%s \"%s\" is encrypted with a master key that the server does not have", kind, out->name);
	out->version = id.version;
	if (nonce != NULL && sealed != NULL)
		out->value = wf_secret_open(&id, which, nonce, sealed, &out->len);
	if (out->value != NULL)
		return NULL;
	return wf_error_make(ERRCODE_DATA_CORRUPTED, id.type == NULL ? "Set it again with wf_set_secret()." : "Set it again with wf_set_credential().",
						 "%s \"%s\" can not be decrypted: its row is not as it was written", kind, out->name);
}

/* Opens those of `values` that there are, by their names; the type of the last one is in *type. */
static WfError *
open_values(const pg_uuid_t *tenant_id, WfSecretValue *values, int n, bool is_credential, char **type)
{
	WfMasterKeyIds keys;
	WfError    *problem = wf_store_master_key_problem(&keys);
	Datum	   *texts = palloc(sizeof(Datum) * n);
	Datum		arguments[3];
	uint64		n_rows;

	if (problem != NULL)
		return problem;
	for (int i = 0; i < n; i++)
		texts[i] = CStringGetTextDatum(values[i].name);
	arguments[0] = UUIDPGetDatum(tenant_id);
	arguments[1] = PointerGetDatum(construct_array(texts, n, TEXTOID, -1, false, TYPALIGN_INT));
	arguments[2] = BoolGetDatum(is_credential);
	n_rows = wf_store_execute_latest(WF_SQL_FIND_SECRETS, arguments, NULL);
	for (uint64 row = 0; row < n_rows && problem == NULL; row++)
	{
		char	   *name = wf_store_text(row, 1);

		*type = wf_store_text(row, 6);
		for (int i = 0; i < n && problem == NULL; i++)
			if (strcmp(values[i].name, name) == 0)
				problem = open_row(tenant_id, row, &keys, &values[i]);
	}
	SPI_freetuptable(SPI_tuptable);
	for (int i = 0; i < n && problem == NULL; i++)
		if (values[i].value == NULL)
			problem = missing(tenant_id, values[i].name, is_credential);
	if (problem != NULL)
		wf_marker_wipe(values, n);
	return problem;
}

WfError *
wf_store_open_secrets(const pg_uuid_t *tenant_id, const char *const *names, int n, WfSecretValue **out)
{
	WfSecretValue *values = palloc0(sizeof(WfSecretValue) * Max(n, 1));
	WfError    *problem;
	char	   *type;

	for (int i = 0; i < n; i++)
		values[i].name = names[i];
	problem = n == 0 ? NULL : open_values(tenant_id, values, n, false, &type);
	*out = problem == NULL ? values : NULL;
	return problem;
}

WfError *
wf_store_open_credential(const pg_uuid_t *tenant_id, const char *name, const WfCredentialType **type, WfSecretValue *out)
{
	char	   *type_name = NULL;
	WfError    *problem;

	memset(out, 0, sizeof(*out));
	out->name = name;
	problem = open_values(tenant_id, out, 1, true, &type_name);
	if (problem != NULL)
		return problem;
	*type = wf_credential_type(type_name);
	if (*type == NULL)
	{
		wf_marker_wipe(out, 1);
		return wf_error_make(ERRCODE_DATA_CORRUPTED, NULL, "credential \"%s\" is of a type that is not known", name);
	}
	return NULL;
}
