/*
 * forget.c: a person's data erased from all that is known of a tenant's runs (wf_forget).
 *
 * 1. First come the tables of runs that are alive, in the order in which workers lock rows: the message, the live run, what hangs on
 *    it. So nobody waits for us whom we wait for. They are gone through twice, since a run may go from one that comes later to an
 *    earlier one; then history, where all runs end. What a run that is executed right now has in memory is not seen: it
 *    writes it when its segment ends.
 * 2. Each table costs one statement. Rows that cannot have the value are told by their bytes (wf.may_hold); the others are
 *    written anew (wf.erased). Places are counted by the functions themselves, in the variable below.
 * 3. A message in the queue is held first, as by everybody who changes one.
 * 4. What tells that it was done has a digest of the value, with a key of the tenant's that members cannot read.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/clock.h"
#include "base/crypt.h"
#include "base/pii.h"
#include "base/uuid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "store/direct.h"
#include "store/pii.h"
#include "store/statements.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

/* Columns of wf.step, from 0. */
#define STEP_INPUT 8
#define STEP_OUTPUT 9
#define STEP_ERROR 10
#define STEP_LOG 13
#define STEP_COLUMNS 14

/* Places erased since wf_store_forget began. */
static int64 n_places = 0;

/* -- what to erase, from arguments -- */

/* Arguments 1 (paths, a line each, or NULL: everywhere) and 2 (the value), kept for the calls that follow with the same ones. */
typedef struct Wanted
{
	WfPiiErase	erase;
	char	   *path;
	Jsonb	   *value;
} Wanted;

static bool
is_same(const Wanted *wanted, const text *path, const Jsonb *value)
{
	if (VARSIZE(wanted->value) != VARSIZE(value) || memcmp(wanted->value, value, VARSIZE(value)) != 0)
		return false;
	if (wanted->path == NULL || path == NULL)
		return wanted->path == NULL && path == NULL;
	return strlen(wanted->path) == VARSIZE_ANY_EXHDR(path) &&
		memcmp(wanted->path, VARDATA_ANY(path), VARSIZE_ANY_EXHDR(path)) == 0;
}

/* Sets it up; throws 22023 for a path that is none. */
static void
set_up(Wanted *wanted, const char *path, const Jsonb *value)
{
	JsonbValue	root;

	wf_json_root(value, &root);
	wanted->value = wf_json_copy(&root);
	wf_json_root(wanted->value, &wanted->erase.value);
	if (wanted->erase.value.type == jbvString)
	{
		wanted->erase.text = wanted->erase.value.val.string.val;
		wanted->erase.text_len = wanted->erase.value.val.string.len;
	}
	else if (wanted->erase.value.type == jbvNumeric)
	{
		wanted->erase.text = wf_json_text(&wanted->erase.value);
		wanted->erase.text_len = strlen(wanted->erase.text);
	}
	if (wanted->erase.text_len == 0)
		wanted->erase.text = NULL;
	if (path == NULL)
		return;
	wanted->path = pstrdup(path);
	wanted->erase.paths = wf_pii_paths_make();
	for (const char *at = path;; at = strchr(at, '\n') + 1)
	{
		const char *problem = wf_pii_paths_read(unconstify(WfPiiPaths *, wanted->erase.paths), at, strcspn(at, "\n"));

		if (problem != NULL)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("path \"%.*s\" is invalid: %s", (int) strcspn(at, "\n"), at, problem),
							errhint("A path looks like \"customer.email\" or \"**.iban\".")));
		if (strchr(at, '\n') == NULL)
			break;
	}
}

/* Where a path of the user's leads to in the tables, and in wf.pii, whose rows have values without what is around them. */
static char *
stored_paths(const char *path)
{
	return psprintf("%s\n**.%s\nknown.*", path, path);
}

static char *
kept_paths(const char *path)
{
	const char *last = strrchr(path, '.');

	return psprintf("*\n**.%s", last == NULL ? path : last + 1);
}

static Wanted *
wanted_of(FunctionCallInfo fcinfo)
{
	Wanted	   *wanted = fcinfo->flinfo->fn_extra;
	text	   *path = PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1);
	Jsonb	   *value = PG_GETARG_JSONB_P(2);
	MemoryContext old;

	if (wanted != NULL && is_same(wanted, path, value))
		return wanted;
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	wanted = palloc0(sizeof(Wanted));
	set_up(wanted, path == NULL ? NULL : text_to_cstring(path), value);
	MemoryContextSwitchTo(old);
	fcinfo->flinfo->fn_extra = wanted;
	return wanted;
}

/* -- the functions of the statements -- */

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_may_hold);

/* Of JSON and of steps, as bytes. */
Datum
wf_sql_may_hold(PG_FUNCTION_ARGS)
{
	struct varlena *datum;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2))
		PG_RETURN_BOOL(false);
	datum = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(0));
	PG_RETURN_BOOL(wf_pii_may_hold(&wanted_of(fcinfo)->erase, VARDATA_ANY(datum), VARSIZE_ANY_EXHDR(datum)));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_may_hold_text);

/* Of texts, which have no paths. */
Datum
wf_sql_may_hold_text(PG_FUNCTION_ARGS)
{
	struct varlena *datum;
	const WfPiiErase *erase;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(2) || !PG_ARGISNULL(1))
		PG_RETURN_BOOL(false);
	erase = &wanted_of(fcinfo)->erase;
	datum = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(0));
	PG_RETURN_BOOL(erase->text != NULL &&
				   memmem(VARDATA_ANY(datum), VARSIZE_ANY_EXHDR(datum), erase->text, erase->text_len) != NULL);
}

/* JSON without it; the same when it is not there. */
static Jsonb *
erase_json(WfPiiErase *erase, Jsonb *json)
{
	JsonbValue	root;
	Jsonb	   *result;
	int64		before = erase->n_erased;

	if (!wf_pii_may_hold(erase, VARDATA(json), VARSIZE(json) - VARHDRSZ))
		return json;
	wf_json_root(json, &root);
	result = wf_pii_erase(erase, &root);
	n_places += erase->n_erased - before;
	return erase->n_erased > before ? result : json;
}

static text *
erase_text(WfPiiErase *erase, text *line)
{
	int64		before = erase->n_erased;
	char	   *result = wf_pii_erase_text(erase, VARDATA_ANY(line), VARSIZE_ANY_EXHDR(line));

	n_places += erase->n_erased - before;
	return result == NULL ? line : cstring_to_text(result);
}

static ArrayType *
erase_texts(WfPiiErase *erase, ArrayType *lines)
{
	Datum	   *values;
	bool	   *nulls;
	int			n;
	int			dimensions[1];
	int			bounds[1] = {1};

	deconstruct_array(lines, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			values[i] = PointerGetDatum(erase_text(erase, DatumGetTextPP(values[i])));
	dimensions[0] = n;
	return construct_md_array(values, nulls, n > 0 ? 1 : 0, dimensions, bounds, TEXTOID, -1, false, TYPALIGN_INT);
}

/* A step as a new composite. */
static Datum
erase_step(WfPiiErase *erase, Datum step, TupleDesc descriptor)
{
	static const int documents[] = {STEP_INPUT, STEP_OUTPUT, STEP_ERROR};
	HeapTupleHeader header = DatumGetHeapTupleHeader(step);
	HeapTupleData tuple;
	Datum		values[STEP_COLUMNS];
	bool		nulls[STEP_COLUMNS];

	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, descriptor, values, nulls);
	for (int i = 0; i < lengthof(documents); i++)
		if (!nulls[documents[i]])
			values[documents[i]] = JsonbPGetDatum(erase_json(erase, DatumGetJsonbP(values[documents[i]])));
	if (!nulls[STEP_LOG])
		values[STEP_LOG] = PointerGetDatum(erase_texts(erase, DatumGetArrayTypeP(values[STEP_LOG])));
	return HeapTupleHeaderGetDatum(heap_form_tuple(descriptor, values, nulls)->t_data);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_erased);

Datum
wf_sql_erased(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(2))
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	PG_RETURN_JSONB_P(erase_json(&wanted_of(fcinfo)->erase, PG_GETARG_JSONB_P(0)));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_erased_text);

Datum
wf_sql_erased_text(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(2))
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	PG_RETURN_TEXT_P(erase_text(&wanted_of(fcinfo)->erase, PG_GETARG_TEXT_PP(0)));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_erased_texts);

Datum
wf_sql_erased_texts(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(2))
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	PG_RETURN_ARRAYTYPE_P(erase_texts(&wanted_of(fcinfo)->erase, PG_GETARG_ARRAYTYPE_P(0)));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_erased_steps);

Datum
wf_sql_erased_steps(PG_FUNCTION_ARGS)
{
	ArrayType  *array;
	WfPiiErase *erase;
	TupleDesc	descriptor;
	Datum	   *steps;
	bool	   *nulls;
	int			n;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(2))
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	array = PG_GETARG_ARRAYTYPE_P(0);
	erase = &wanted_of(fcinfo)->erase;
	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE, &steps, &nulls, &n);
	descriptor = lookup_rowtype_tupdesc(ARR_ELEMTYPE(array), -1);
	if (descriptor->natts != STEP_COLUMNS)
		elog(ERROR, "type wf.step has %d columns", descriptor->natts);
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!nulls[i])
			steps[i] = erase_step(erase, steps[i], descriptor);
	}
	ReleaseTupleDesc(descriptor);
	PG_RETURN_ARRAYTYPE_P(construct_array(steps, n, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE));
}

/* -- the whole -- */

/* Keeps workers from the messages that have it, until the transaction ends; waits for those that are at one. */
static void
hold_messages(Datum *values, const char *nulls)
{
	uint64		n = wf_store_execute(WF_SQL_MESSAGES_WITH, values, nulls);
	pg_uuid_t  *ids = palloc(sizeof(pg_uuid_t) * Max(n, 1));

	for (uint64 i = 0; i < n; i++)
		wf_store_uuid(i, 1, &ids[i]);
	SPI_freetuptable(SPI_tuptable);
	for (uint64 i = 0; i < n; i++)
		(void) wf_store_lock_thing(wf_store_table("queue"), wf_store_hash(0, ids[i].data, UUID_LEN), false);
	pfree(ids);
}

/* Made when it is first needed. */
static bytea *
key_of(const pg_uuid_t *tenant_id)
{
	bytea	   *fresh = palloc(VARHDRSZ + WF_CRYPT_KEY_BYTES);
	Datum		values[2] = {UUIDPGetDatum(tenant_id), PointerGetDatum(fresh)};
	bytea	   *key;

	SET_VARSIZE(fresh, VARHDRSZ + WF_CRYPT_KEY_BYTES);
	if (!pg_strong_random(VARDATA(fresh), WF_CRYPT_KEY_BYTES))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values")));
	if (wf_store_execute(WF_SQL_PII_KEY, values, NULL) == 0)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						errmsg("could not serialize access due to concurrent use of wf_forget()"),
						errhint("The transaction might succeed if retried.")));
	key = wf_store_bytea(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return key;
}

/* Says that it was done, by the current user. */
static void
note(const pg_uuid_t *tenant_id, const char *path, const Jsonb *value)
{
	bytea	   *key = key_of(tenant_id);
	bytea	   *digest = palloc(VARHDRSZ + WF_CRYPT_HASH_BYTES);
	JsonbValue	root;
	char	   *text;
	pg_uuid_t	id;
	Datum		values[7];
	char		nulls[8] = "       ";

	wf_json_root(value, &root);
	text = wf_json_text(&root);
	SET_VARSIZE(digest, VARHDRSZ + WF_CRYPT_HASH_BYTES);
	if (!wf_crypt_hmac_sha256(VARDATA(key), VARSIZE(key) - VARHDRSZ, text, strlen(text), "", 0, (uint8 *) VARDATA(digest)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not compute a digest")));
	wf_uuid_make(&id);
	values[0] = UUIDPGetDatum(tenant_id);
	values[1] = UUIDPGetDatum(&id);
	values[2] = TimestampTzGetDatum(wf_clock_now());
	values[3] = ObjectIdGetDatum(GetUserId());
	values[4] = path == NULL ? (Datum) 0 : CStringGetTextDatum(path);
	nulls[4] = path == NULL ? 'n' : ' ';
	values[5] = PointerGetDatum(digest);
	values[6] = Int64GetDatum(n_places);
	wf_store_execute(WF_SQL_PUT_FORGOTTEN, values, nulls);
}

static void
forget_in(WfStatementId first, WfStatementId last, Datum *values, const char *nulls)
{
	for (WfStatementId id = first; id <= last; id++)
	{
		CHECK_FOR_INTERRUPTS();
		wf_store_execute(id, values, nulls);
	}
}

int64
wf_store_forget(const pg_uuid_t *tenant_id, const char *path, Jsonb *value)
{
	Datum		values[3] = {UUIDPGetDatum(tenant_id), (Datum) 0, JsonbPGetDatum(value)};
	const char *nulls = path == NULL ? " n " : NULL;
	Wanted		wanted = {0};

	if (path != NULL)
	{
		set_up(&wanted, path, value);	/* throws if it is none */
		values[1] = CStringGetTextDatum(stored_paths(path));
	}
	n_places = 0;
	/* two at once would wait for each other */
	(void) wf_store_lock_thing(wf_store_table("forgotten"), wf_store_hash(0, tenant_id->data, UUID_LEN), false);
	for (int pass = 0; pass < 2; pass++)
	{
		hold_messages(values, nulls);
		forget_in(WF_SQL_FORGET_QUEUE, WF_SQL_FORGET_FAILED, values, nulls);
	}
	forget_in(WF_SQL_FORGET_REQUEST_LOG, WF_SQL_FORGET_SEGMENT, values, nulls);
	if (path != NULL)
		values[1] = CStringGetTextDatum(kept_paths(path));
	forget_in(WF_SQL_FORGET_PII, WF_SQL_FORGET_PII, values, nulls);
	n_places += (int64) wf_store_execute(WF_SQL_FORGET_KEY, values, nulls);
	note(tenant_id, path, value);
	return n_places;
}
