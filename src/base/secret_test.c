/*
 * secret_test.c: what tests of secrets need of C; compiled with WF_TESTING only.
 */
#include "postgres.h"

#ifdef WF_TESTING

#include "base/compat.h"
#include "base/crypt.h"
#include "base/secret.h"
#include "base/secret_marker.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/uuid.h"

#define BYTES(i) ((const uint8 *) VARDATA_ANY(PG_GETARG_BYTEA_PP(i)))
#define LEN(i) ((int) VARSIZE_ANY_EXHDR(PG_GETARG_BYTEA_PP(i)))

static bytea *
make_bytea(int len)
{
	bytea	   *out = palloc0(VARHDRSZ + len);

	SET_VARSIZE(out, VARHDRSZ + len);
	return out;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_gcm_seal);

/* gcm_seal(key, nonce, associated, plain bytea) -> bytea: ciphertext and tag */
Datum
wf_sql_test_gcm_seal(PG_FUNCTION_ARGS)
{
	bytea	   *out = make_bytea(LEN(3) + WF_CRYPT_TAG_BYTES);

	if (!wf_crypt_seal(BYTES(0), BYTES(1), BYTES(2), LEN(2), BYTES(3), LEN(3), (uint8 *) VARDATA(out)))
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(out);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_gcm_open);

/* gcm_open(key, nonce, associated, sealed bytea) -> bytea: the plain text, or null */
Datum
wf_sql_test_gcm_open(PG_FUNCTION_ARGS)
{
	bytea	   *out = make_bytea(Max(LEN(3) - WF_CRYPT_TAG_BYTES, 0));

	if (!wf_crypt_open(BYTES(0), BYTES(1), BYTES(2), LEN(2), BYTES(3), LEN(3), (uint8 *) VARDATA(out)))
	{
		for (int i = 0; i < VARSIZE(out) - VARHDRSZ; i++)
			if (VARDATA(out)[i] != 0)
				elog(ERROR, "something of the plain text was left");
		PG_RETURN_NULL();
	}
	PG_RETURN_BYTEA_P(out);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_hkdf);

/* hkdf(secret, salt, info bytea, len int) -> bytea */
Datum
wf_sql_test_hkdf(PG_FUNCTION_ARGS)
{
	bytea	   *out = make_bytea(PG_GETARG_INT32(3));

	if (!wf_crypt_hkdf(BYTES(0), LEN(0), BYTES(1), LEN(1), BYTES(2), LEN(2), (uint8 *) VARDATA(out), PG_GETARG_INT32(3)))
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(out);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_hmac);

/* hmac(key, first, second bytea) -> bytea */
Datum
wf_sql_test_hmac(PG_FUNCTION_ARGS)
{
	bytea	   *out = make_bytea(WF_CRYPT_HASH_BYTES);

	if (!wf_crypt_hmac_sha256(BYTES(0), LEN(0), BYTES(1), LEN(1), BYTES(2), LEN(2), (uint8 *) VARDATA(out)))
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(out);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_master_key);

/* master_key(key bytea): this backend's from now on; null: the server's own */
Datum
wf_sql_test_master_key(PG_FUNCTION_ARGS)
{
	WfError    *problem;

	wf_master_key_replace(WF_MASTER_KEY_CURRENT, PG_ARGISNULL(0) ? NULL : BYTES(0));
	problem = wf_master_key_problem(WF_MASTER_KEY_CURRENT);
	if (problem != NULL)
		wf_error_raise(problem);
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_previous_key);

/* previous_key(key bytea): this backend's previous key from now on; null: none */
Datum
wf_sql_test_previous_key(PG_FUNCTION_ARGS)
{
	wf_master_key_replace(WF_MASTER_KEY_PREVIOUS, PG_ARGISNULL(0) ? NULL : BYTES(0));
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_forget_master_key);

/* forget_master_key(): this backend has none, until somebody needs it for a secret */
Datum
wf_sql_test_forget_master_key(PG_FUNCTION_ARGS)
{
	wf_master_key_replace(WF_MASTER_KEY_CURRENT, NULL);
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_seal);

/* seal(tenant uuid, name text, version int, value text) -> bytea[]: {nonce, sealed} */
Datum
wf_sql_test_seal(PG_FUNCTION_ARGS)
{
	WfSecretId	id = {PG_GETARG_UUID_P(0), text_to_cstring(PG_GETARG_TEXT_PP(1)), PG_GETARG_INT32(2)};
	text	   *value = PG_GETARG_TEXT_PP(3);
	bytea	   *nonce;
	Datum		both[2];

	both[1] = PointerGetDatum(wf_secret_seal(&id, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &nonce));
	both[0] = PointerGetDatum(nonce);
	PG_RETURN_ARRAYTYPE_P(construct_array(both, 2, BYTEAOID, -1, false, TYPALIGN_INT));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_open);

/* open(tenant uuid, name text, version int, sealed bytea[]) -> text, or null */
Datum
wf_sql_test_open(PG_FUNCTION_ARGS)
{
	WfSecretId	id = {PG_GETARG_UUID_P(0), text_to_cstring(PG_GETARG_TEXT_PP(1)), PG_GETARG_INT32(2)};
	Datum	   *both;
	int			n;
	int			len;
	char	   *value;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(3), BYTEAOID, -1, false, TYPALIGN_INT, &both, NULL, &n);
	value = wf_secret_open(&id, WF_MASTER_KEY_CURRENT, DatumGetByteaPP(both[0]), DatumGetByteaPP(both[1]), &len);
	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(value, len));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_marker);

/* marker(nonce, name text) -> text */
Datum
wf_sql_test_marker(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(1));

	PG_RETURN_TEXT_P(cstring_to_text(wf_marker_make(text_to_cstring(PG_GETARG_TEXT_PP(0)), name, strlen(name))));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_fill);

/* fill(template text, nonce text, names text[], vals text[], style int) -> text: the names that it found, ": ", the result */
Datum
wf_sql_test_fill(PG_FUNCTION_ARGS)
{
	text	   *source = PG_GETARG_TEXT_PP(0);
	char	   *nonce = text_to_cstring(PG_GETARG_TEXT_PP(1));
	Datum	   *names;
	Datum	   *texts;
	int			n;
	WfSecretValue *values;
	StringInfoData out;
	const char *result;
	int			len;
	ListCell   *cell;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), TEXTOID, -1, false, TYPALIGN_INT, &names, NULL, &n);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(3), TEXTOID, -1, false, TYPALIGN_INT, &texts, NULL, &n);
	values = palloc0(sizeof(WfSecretValue) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		values[i].name = TextDatumGetCString(names[i]);
		values[i].value = TextDatumGetCString(texts[i]);
		values[i].len = strlen(values[i].value);
	}
	initStringInfo(&out);
	foreach(cell, wf_marker_names(NIL, VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source), nonce))
		appendStringInfo(&out, "%s ", (char *) lfirst(cell));
	appendStringInfoString(&out, "-> ");
	result = wf_marker_fill(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source), nonce, values, n, PG_GETARG_INT32(4), &len);
	appendBinaryStringInfo(&out, result, len);
	wf_marker_wipe(values, n);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_wiped);

/* wiped(n int) -> bool: memory of wf_secret_alloc is wiped when its context is reset */
Datum
wf_sql_test_wiped(PG_FUNCTION_ARGS)
{
	MemoryContext outer = AllocSetContextCreate(CurrentMemoryContext, "test outer", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(outer);
	int			n = PG_GETARG_INT32(0);
	char	   *first = palloc(1); /* keeps the block of the context, whose memory is looked at below */
	char	   *bytes = wf_secret_alloc(n);
	bool		wiped = true;

	memset(bytes, 'x', n);
	MemoryContextSwitchTo(old);
	for (MemoryContextCallback *callback = outer->reset_cbs; callback != NULL; callback = callback->next)
		callback->func(callback->arg);
	for (int i = 0; i < n; i++)
		wiped &= bytes[i] == 0;
	first[0] = 0;
	MemoryContextDelete(outer);
	PG_RETURN_BOOL(wiped);
}

#endif
