/*
 * schema_test.c: the validator as SQL functions, for tests only.
 *
 * wf_sql_test_schema(schema jsonb, value jsonb, flags int, sources jsonb) -> jsonb: `sources` is an
 * object of documents by URI, or null. The result is {"valid": true}, {"valid": false, "errors":
 * [...]} or {"refused": {...}} when the schema is not one. Flag 0x100: no list of errors. Flag 0x200:
 * apply a hundred thousand times, for measurements.
 */
#ifdef WF_TESTING

#include "postgres.h"

#include "base/compat.h"
#include "fmgr.h"
#include "schema/schema_internal.h"
#include "utils/memutils.h"

PGDLLEXPORT Datum wf_sql_test_schema(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_schema);

static void
put_error(WfJsonWriter *w, const WfSchemaError *error)
{
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "path", error->instance_path);
	wf_json_put_field_cstring(w, "at", error->keyword_path);
	wf_json_put_field_cstring(w, "keyword", error->keyword);
	wf_json_put_field_cstring(w, "message", error->message);
	if (error->property != NULL)
		wf_json_put_field_cstring(w, "property", error->property);
	wf_json_end_object(w);
}

static int
read_sources(const Jsonb *json, WfSchemaSource **sources)
{
	JsonbValue	root,
				key,
				document;
	WfJsonIter	it;
	int			n = 0;

	wf_json_root(json, &root);
	*sources = palloc(sizeof(WfSchemaSource) * (wf_json_count(&root) + 1));
	wf_json_iter_begin(&it, &root);
	while (wf_json_iter_next(&it, &key, &document))
	{
		(*sources)[n].uri = wf_json_cstring(&key);
		(*sources)[n++].document = wf_json_copy(&document);
	}
	return n;
}

Datum
wf_sql_test_schema(PG_FUNCTION_ARGS)
{
	Jsonb	   *document = PG_GETARG_JSONB_P(0);
	Jsonb	   *value = PG_GETARG_JSONB_P(1);
	int			flags = PG_GETARG_INT32(2);
	WfSchemaSource *sources = NULL;
	int			n_sources = read_sources(PG_GETARG_JSONB_P(3), &sources);
	WfSchemaError problem;
	WfSchema   *schema = wf_schema_compile(document, n_sources, sources, flags & 0xFF, &problem);
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	root;
	List	   *errors = NIL;
	bool		valid;
	ListCell   *lc;

	wf_json_begin_object(w);
	if (schema == NULL)
	{
		wf_json_key(w, "refused", 7);
		put_error(w, &problem);
		wf_json_end_object(w);
		PG_RETURN_JSONB_P(wf_json_finish(w));
	}
	wf_json_root(value, &root);
	valid = wf_schema_validate(schema, &root, (flags & 0x100) ? NULL : &errors, 100);
	if (flags & 0x200)
	{
		MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "schema test", ALLOCSET_DEFAULT_SIZES);
		MemoryContext old = MemoryContextSwitchTo(scratch);

		for (int i = 0; i < 100000; i++)
		{
			wf_schema_validate(schema, &root, NULL, 0);
			MemoryContextReset(scratch);
		}
		MemoryContextSwitchTo(old);
	}
	wf_json_put_field_bool(w, "valid", valid);
	if (!valid && !(flags & 0x100))
	{
		wf_json_key(w, "errors", 6);
		wf_json_begin_array(w);
		foreach(lc, errors)
			put_error(w, lfirst(lc));
		wf_json_end_array(w);
	}
	wf_json_end_object(w);
	PG_RETURN_JSONB_P(wf_json_finish(w));
}

#endif
