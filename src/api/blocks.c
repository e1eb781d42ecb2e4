/*
 * blocks.c: wf_blocks, wf_register_block.
 */
#include "postgres.h"

#include "api/api.h"
#include "base/compat.h"
#include "base/text.h"
#include "block/block.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "engine/engine.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "store/audit.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#define MOST_PORTS 64
#define TYPE_BYTES 128

static Datum
text_array(const char *const *items, int n)
{
	Datum	   *values = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		values[i] = CStringGetTextDatum(items[i]);
	return PointerGetDatum(construct_array(values, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
put_block(ReturnSetInfo *result, const char *type, const char *category, const char *summary,
		  const char *const *ports, int n_ports, bool suspends, Jsonb *config_schema, Jsonb *output_schema)
{
	Datum		values[7];
	bool		nulls[7] = {0};

	values[0] = CStringGetTextDatum(type);
	values[1] = CStringGetTextDatum(category);
	values[2] = CStringGetTextDatum(summary);
	values[3] = text_array(ports, n_ports);
	values[4] = BoolGetDatum(suspends);
	values[5] = JsonbPGetDatum(config_schema);
	values[6] = JsonbPGetDatum(output_schema);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* The ports, and `error` behind them: of a block that leaves there by itself. */
static const char *const *
with_error(const char *const *ports, int *n)
{
	const char **all = palloc(sizeof(char *) * (*n + 1));

	for (int i = 0; i < *n; i++)
		all[i] = ports[i];
	all[(*n)++] = "error";
	return all;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_blocks);

Datum
wf_sql_blocks(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int			n;
	const WfBlock *const *blocks = wf_block_list(&n);
	WfTenant	tenant;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	wf_store_require_some(WF_WORKFLOW_READ, &tenant);
	for (int i = 0; i < n; i++)
	{
		int			n_ports = 0;
		const char *const *ports;

		while (blocks[i]->ports != NULL && blocks[i]->ports[n_ports] != NULL)
			n_ports++;
		ports = blocks[i]->ports;
		if ((blocks[i]->flags & WF_BLOCK_ERRORS_OUT) != 0)
			ports = with_error(ports, &n_ports);
		put_block(result, blocks[i]->type, blocks[i]->category, blocks[i]->summary, ports, n_ports,
				  (blocks[i]->flags & WF_BLOCK_SUSPENDS) != 0, wf_json_parse(blocks[i]->config_schema),
				  wf_json_parse(blocks[i]->output_schema));
	}
	foreach(cell, wf_store_list_blocks(&tenant.tenant_id))
	{
		const WfBlockRow *row = lfirst(cell);

		put_block(result, row->type, "custom", psprintf("function %s", row->function), row->ports, row->n_ports, false,
				  row->config_schema, wf_json_empty_object());
	}
	SPI_finish();
	return (Datum) 0;
}

static bool
is_built_in(const char *type)
{
	int			n;
	const WfBlock *const *blocks = wf_block_list(&n);

	for (int i = 0; i < n; i++)
		if (strcmp(blocks[i]->type, type) == 0)
			return true;
	return false;
}

/* A registered type has a dot, so that it never meets a block to come: `acme.score`. */
static void
check_type(const char *type)
{
	bool		dot = false;
	int			len = strlen(type);

	for (int i = 0; i < len; i++)
	{
		char		c = type[i];

		if (c == '.' && i > 0 && i < len - 1)
			dot = true;
		else if (!(c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (i > 0 && c >= '0' && c <= '9')))
			len = 0;
	}
	if (!dot || len == 0 || len > TYPE_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("type of a block must look like \"acme.score\""),
						errhint("Letters, digits and underscores, with a dot between a name of yours and that of the block.")));
	if (is_built_in(type))
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("block \"%s\" is built in", type)));
}

static void
check_function(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc proc;
	bool		fits;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION), errmsg("function with OID %u does not exist", function)));
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	fits = proc->prokind == PROKIND_FUNCTION && proc->pronargs == 2 && !proc->proretset && proc->prorettype == JSONBOID &&
		proc->proargtypes.values[0] == JSONBOID && proc->proargtypes.values[1] == JSONBOID;
	ReleaseSysCache(tuple);
	if (!fits)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("function %s cannot be a block", format_procedure(function)),
						errhint("It must be a function (config jsonb, input jsonb) RETURNS jsonb.")));
	if (!wf_compat_may_execute(function, GetUserId()))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION, get_func_name(function));
}

static void
check_ports(ArrayType *ports)
{
	Datum	   *values;
	bool	   *nulls;
	int			n;

	deconstruct_array(ports, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
	if (n < 1 || n > MOST_PORTS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("a block must have 1 to %d ports", MOST_PORTS)));
	for (int i = 0; i < n; i++)
	{
		char	   *port = nulls[i] ? NULL : TextDatumGetCString(values[i]);

		if (port == NULL || port[0] == '\0' || strlen(port) > TYPE_BYTES || strcmp(port, "error") == 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("\"%s\" cannot be the name of a port", port == NULL ? "" : wf_text_clip(port)),
							errhint("Every block has the port \"error\" by itself.")));
		for (int j = 0; j < i; j++)
			if (strcmp(port, TextDatumGetCString(values[j])) == 0)
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("port \"%s\" is named twice", port)));
	}
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_register_block);

Datum
wf_sql_register_block(PG_FUNCTION_ARGS)
{
	char	   *type = wf_api_text(fcinfo, 0, "type");
	Oid			function;
	Jsonb	   *schema = wf_api_jsonb_or_empty(fcinfo, 2);
	ArrayType  *ports;
	WfBlockRow *known;
	WfTenant	tenant;
	const char *problem;

	wf_api_not_null(fcinfo, 1, "function");
	wf_api_not_null(fcinfo, 3, "ports");
	function = PG_GETARG_OID(1);
	ports = PG_GETARG_ARRAYTYPE_P(3);
	check_type(type);
	check_ports(ports);
	problem = wf_block_schema_problem(schema);
	if (problem != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("config_schema is not a JSON Schema: %s", problem)));
	SPI_connect();
	wf_store_require(WF_CONNECTOR_CREATE, &tenant);
	check_function(function);
	known = wf_store_find_block(&tenant.tenant_id, type);
	wf_store_put_block(&tenant.tenant_id, type, format_procedure_qualified(function), schema, ports);
	wf_store_audit(&tenant.tenant_id, &(WfAudit) {.action = "block.register", .object_type = "block", .object_name = type,
				   .before = known != NULL ? wf_store_audit_facts("function", known->function) : NULL,
				   .after = wf_store_audit_facts("function", format_procedure_qualified(function))});
	SPI_finish();
	PG_RETURN_VOID();
}
