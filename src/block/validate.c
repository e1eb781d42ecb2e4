/*
 * validate.c: the block `validate`: is this data what a JSON Schema says?
 *
 * A schema without templates, the usual case, is compiled once with the graph, and a wrong one is
 * found when the definition is saved. One with a template anywhere is compiled by each step and lives
 * in the step's memory. The same goes for the two together with `schemas`, what the schema may refer
 * to by URI: if either has a template, both are read when the step runs.
 *
 * Invalid data is no failure of the node: it leaves at `invalid`. A schema that turns out to be none
 * when the step runs is one (22023).
 */
#include "postgres.h"

#include "base/compat.h"
#include "block/block.h"
#include "block/support.h"
#include "schema/schema.h"

#define MOST_ERRORS 100

static const char *const ports[] = {"out", "invalid", NULL};

enum
{
	PORT_OUT,
	PORT_INVALID
};

/* -- compiling -- */

/* The documents of `schemas` as sources; NULL and 0 when there are none. */
static WfSchemaSource *
read_sources(const JsonbValue *schemas, int *n)
{
	WfSchemaSource *sources;
	WfJsonIter	it;
	JsonbValue	uri,
				document;

	*n = 0;
	if (schemas == NULL || !wf_json_is_object(schemas) || wf_json_count(schemas) == 0)
		return NULL;
	sources = palloc(sizeof(WfSchemaSource) * wf_json_count(schemas));
	wf_json_iter_begin(&it, schemas);
	while (wf_json_iter_next(&it, &uri, &document))
	{
		sources[*n].uri = wf_json_cstring(&uri);
		sources[(*n)++].document = wf_json_copy(&document);
	}
	return sources;
}

/* In CurrentMemoryContext; NULL with the reason in *problem. */
static WfSchema *
compile(const JsonbValue *schema, const JsonbValue *schemas, bool assert_format, WfSchemaError *problem)
{
	int			n_sources;
	WfSchemaSource *sources = read_sources(schemas, &n_sources);

	return wf_schema_compile(wf_json_copy(schema), n_sources, sources, assert_format ? WF_SCHEMA_ASSERT_FORMAT : 0,
							 problem);
}

/* The value of a config field that has no template; NULL when it is missing. *templated is set when it has one. */
static const JsonbValue *
constant_field(const WfTemplate *config, const char *key, bool *templated)
{
	const WfTemplate *field = wf_template_field(config, key);

	if (field == NULL)
		return NULL;
	if (field->kind != WF_TEMPLATE_CONSTANT)
	{
		*templated = true;
		return NULL;
	}
	return &field->constant;
}

/* The compiled schema; NULL when it has to wait for the step, or is wrong, which is reported. */
static void *
validate_prepare(const WfNode *node, const WfTemplate *config, const char *search_path, WfDiagnostics *found)
{
	bool		templated = false;
	const JsonbValue *schema = constant_field(config, "schema", &templated);
	const JsonbValue *schemas = constant_field(config, "schemas", &templated);
	const JsonbValue *assert_format = constant_field(config, "assertFormat", &templated);
	WfSchemaError problem;
	WfSchema   *compiled;

	if (templated || schema == NULL)
		return NULL;
	compiled = compile(schema, schemas, assert_format != NULL && assert_format->type == jbvBool &&
					   assert_format->val.boolean, &problem);
	if (compiled == NULL)
		wf_block_report(node, found, "schema", NULL, "\"schema\" is not a valid JSON Schema: %s%s%s",
						problem.keyword_path, problem.keyword_path[0] == '\0' ? "" : " ", problem.message);
	return compiled;
}

/* -- running -- */

/* The schema of this step, from its templates; NULL with *error set when it is none. */
static const WfSchema *
compile_for_step(WfStep *step, WfError **error)
{
	JsonbValue	schema,
				schemas,
				assert_format;
	bool		has_schemas = wf_block_config(step, "schemas", &schemas);
	bool		asserts = wf_block_config(step, "assertFormat", &assert_format) && assert_format.type == jbvBool &&
		assert_format.val.boolean;
	WfSchemaError problem;
	WfSchema   *compiled;

	wf_block_config(step, "schema", &schema);
	compiled = compile(&schema, has_schemas ? &schemas : NULL, asserts, &problem);
	if (compiled == NULL)
		*error = wf_error_make(ERRCODE_INVALID_PARAMETER_VALUE, NULL, "\"schema\" is not a valid JSON Schema: %s%s%s",
							   problem.keyword_path, problem.keyword_path[0] == '\0' ? "" : " ", problem.message);
	return compiled;
}

/* {valid, errors: [{path, message, keyword, at, property?}]} */
static Jsonb *
make_output(bool valid, const List *errors)
{
	WfJsonWriter *w = wf_json_writer_begin();
	ListCell   *lc;

	wf_json_begin_object(w);
	wf_json_put_field_bool(w, "valid", valid);
	wf_json_key(w, "errors", 6);
	wf_json_begin_array(w);
	foreach(lc, errors)
	{
		const WfSchemaError *error = lfirst(lc);

		wf_json_begin_object(w);
		wf_json_put_field_cstring(w, "path", error->instance_path);
		wf_json_put_field_cstring(w, "message", error->message);
		wf_json_put_field_cstring(w, "keyword", error->keyword);
		wf_json_put_field_cstring(w, "at", error->keyword_path);
		if (error->property != NULL)
			wf_json_put_field_cstring(w, "property", error->property);
		wf_json_end_object(w);
	}
	wf_json_end_array(w);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static WfOutcome
validate_execute(WfStep *step)
{
	const WfSchema *schema = step->prepared;
	WfError    *error = NULL;
	List	   *errors = NIL;
	JsonbValue	data;
	bool		valid;

	if (schema == NULL)
		schema = compile_for_step(step, &error);
	if (schema == NULL)
		return wf_block_fail(error);
	wf_block_config(step, "data", &data);
	valid = wf_schema_validate(schema, &data, &errors, MOST_ERRORS);
	return wf_block_done(valid ? PORT_OUT : PORT_INVALID, make_output(valid, errors));
}

const WfBlock wf_block_validate = {
	.type = "validate",
	.category = "flow",
	.summary = "checks data against a JSON Schema",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"data": {"description": "What to check."},
			"schema": {
				"type": ["object", "boolean"],
				"description": "A JSON Schema of draft 2020-12."
			},
			"schemas": {
				"type": "object", "additionalProperties": {"type": ["object", "boolean"]},
				"description": "Further schemas by URI, for the schema to refer to; nothing is ever fetched."
			},
			"assertFormat": {
				"type": "boolean", "default": false,
				"description": "Check the keyword format, which by the standard only annotates."
			}
		},
		"required": ["data", "schema"],
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object",
		"properties": {
			"valid": {"type": "boolean"},
			"errors": {
				"type": "array",
				"items": {
					"type": "object",
					"properties": {
						"path": {"type": "string", "format": "json-pointer", "description": "Where in the data."},
						"message": {"type": "string", "description": "What it must be, for people."},
						"keyword": {"type": "string", "description": "The keyword that says so."},
						"at": {"type": "string", "description": "Where in the schema."},
						"property": {"type": "string", "description": "The property that is missing or must not be there."}
					},
					"required": ["path", "message", "keyword", "at"]
				}
			}
		},
		"required": ["valid", "errors"]
	}),
	.ports = ports,
	.flags = WF_BLOCK_PURE,
	.execute = validate_execute,
	.prepare = validate_prepare,
};
