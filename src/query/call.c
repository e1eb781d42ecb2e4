/*
 * call.c: db.call, one function or procedure.
 *
 * The name is looked up with the version's search_path; of several functions of that name the one is
 * taken whose parameters the arguments fit by name (or by number, when `args` is an array). When that does not
 * settle it, the signature does: "function": "app.add(integer, integer)". Arguments are bound to the
 * declared types; for polymorphic ones the type follows the value: text, numeric, boolean or jsonb.
 *
 *	function			{value}; a composite is an object
 *	function, a set		{rows, count}
 *	procedure			{value}: its OUT parameters as an object, or null
 *
 * A procedure runs as inside any function: it cannot commit.
 */
#include "query/internal.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

/* One parameter of a candidate, in its order. */
typedef struct Input
{
	const char *name;			/* or NULL */
	Oid			type;
	char		mode;			/* i, b, v; o for procedures */
	int			value;			/* index of its argument, or -1 */
} Input;

typedef struct Candidate
{
	Oid			oid;
	char		kind;			/* pg_proc.prokind */
	bool		returns_set;
	int			n_inputs;
	Input	   *inputs;
} Candidate;

typedef struct Arguments
{
	bool		by_name;
	int			n;
	const char **names;
	WfConfigPart *values;
} Arguments;

static bool
take_arguments(WfBuild *b, Arguments *out)
{
	WfConfigPart args;
	WfConfigField *fields;

	memset(out, 0, sizeof(Arguments));
	if (!wf_query_part_config(b, "args", &args))
		return true;
	if (!wf_query_part_resolve(b, &args))
		return false;
	if (wf_query_part_is_array(&args))
	{
		out->values = wf_query_part_items(b, args, &out->n);
		return true;
	}
	if (!wf_query_part_is_object(&args))
	{
		wf_query_complain(b, args.path, NULL, "\"args\" must be an object or an array");
		return false;
	}
	out->by_name = true;
	fields = wf_query_part_fields(b, args, &out->n);
	out->names = palloc(sizeof(char *) * (out->n + 1));
	out->values = palloc(sizeof(WfConfigPart) * (out->n + 1));
	for (int i = 0; i < out->n; i++)
	{
		out->names[i] = fields[i].key;
		out->values[i] = fields[i].value;
	}
	return true;
}

/* -- candidates -- */

static int
input_by_name(const Candidate *candidate, const char *name)
{
	for (int i = 0; i < candidate->n_inputs; i++)
		if (candidate->inputs[i].mode != PROARGMODE_OUT && candidate->inputs[i].name != NULL &&
			strcmp(candidate->inputs[i].name, name) == 0)
			return i;
	return -1;
}

static const char *
nearest_input(const Candidate *candidate, const char *name)
{
	const char **names = palloc(sizeof(char *) * (candidate->n_inputs + 1));
	int			n = 0;

	for (int i = 0; i < candidate->n_inputs; i++)
		if (candidate->inputs[i].name != NULL && candidate->inputs[i].name[0] != '\0')
			names[n++] = candidate->inputs[i].name;
	return wf_text_did_you_mean(name, names, n);
}

/* Gives each input its argument; false when they do not fit, with the reason. */
static bool
fit(Candidate *candidate, const Arguments *args, int n_defaults, const char **reason, const char **hint)
{
	int			n_inputs = 0;
	int			n_seen = 0;

	for (int i = 0; i < args->n; i++)
	{
		int			input = -1;

		if (args->by_name)
			input = input_by_name(candidate, args->names[i]);
		else
			for (int j = 0, k = 0; j < candidate->n_inputs && input < 0; j++)
				if (candidate->inputs[j].mode != PROARGMODE_OUT && k++ == i)
					input = j;
		if (input < 0)
		{
			*reason = args->by_name ? psprintf("it has no parameter \"%s\"", wf_text_clip(args->names[i]))
				: "it has fewer parameters";
			*hint = args->by_name ? nearest_input(candidate, args->names[i]) : NULL;
			return false;
		}
		candidate->inputs[input].value = i;
	}
	for (int i = 0; i < candidate->n_inputs; i++)
		n_inputs += candidate->inputs[i].mode != PROARGMODE_OUT;
	for (int i = 0; i < candidate->n_inputs; i++)
	{
		const Input *input = &candidate->inputs[i];

		if (input->mode == PROARGMODE_OUT)
			continue;
		n_seen++;
		if (input->value < 0 && n_seen <= n_inputs - n_defaults)
		{
			*reason = psprintf("its parameter \"%s\" is missing",
							   input->name != NULL && input->name[0] != '\0' ? input->name : psprintf("%d", n_seen));
			return false;
		}
	}
	return true;
}

static void
describe(Oid oid, Candidate *out, int *n_defaults)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
	Form_pg_proc form;
	Oid		   *types;
	char	  **names;
	char	   *modes;
	int			n;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION), errmsg("function with OID %u does not exist", oid)));
	form = (Form_pg_proc) GETSTRUCT(tuple);
	out->oid = oid;
	out->kind = form->prokind;
	out->returns_set = form->proretset;
	*n_defaults = form->pronargdefaults;
	n = get_func_arg_info(tuple, &types, &names, &modes);
	out->n_inputs = 0;
	out->inputs = palloc(sizeof(Input) * (n + 1));
	for (int i = 0; i < n; i++)
	{
		char		mode = modes != NULL ? modes[i] : PROARGMODE_IN;

		if (mode == PROARGMODE_TABLE || (mode == PROARGMODE_OUT && form->prokind != PROKIND_PROCEDURE))
			continue;
		out->inputs[out->n_inputs++] = (Input) {names != NULL ? names[i] : NULL, types[i], mode, -1};
	}
	ReleaseSysCache(tuple);
}

/* The OIDs that a name may mean. */
static List *
find_oids(WfBuild *b, const char *written, const char *path)
{
	List	   *parts;
	List	   *names = NIL;
	List	   *oids = NIL;
	ListCell   *cell;
	FuncCandidateList at;

	if (strchr(written, '(') != NULL)
		return list_make1_oid(DatumGetObjectId(DirectFunctionCall1(regprocedurein, CStringGetDatum(written))));
	parts = wf_query_split(written);
	if (parts == NIL || list_length(parts) > 2)
		return NIL;
	foreach(cell, parts)
		names = lappend(names, makeString(lfirst(cell)));
	for (at = FuncnameGetCandidates(names, -1, NIL, false, false, false, true); at != NULL; at = at->next)
		oids = lappend_oid(oids, at->oid);
	return oids;
}

/* Chooses; false after a complaint. */
static bool
choose(WfBuild *b, const char *written, bool procedure, const char *path, const Arguments *args, Candidate *out)
{
	const char *kind = procedure ? "procedure" : "function";
	List	   *oids = find_oids(b, written, path);
	ListCell   *cell;
	const char *reason = NULL;
	const char *hint = NULL;
	int			n_kind = 0;
	int			n_fit = 0;

	foreach(cell, oids)
	{
		Candidate	candidate;
		int			n_defaults;

		describe(lfirst_oid(cell), &candidate, &n_defaults);
		if ((candidate.kind == PROKIND_PROCEDURE) != procedure ||
			(!procedure && candidate.kind != PROKIND_FUNCTION))
			continue;
		n_kind++;
		if (fit(&candidate, args, n_defaults, &reason, &hint) && n_fit++ == 0)
			*out = candidate;
	}
	if (n_fit == 1)
		return true;
	if (n_kind == 0)
		wf_query_complain_name(b, ERRCODE_UNDEFINED_FUNCTION, path,
							   oids != NIL ? psprintf("There is something else of that name, but no %s.", kind) : NULL,
							   "%s \"%s\" does not exist", kind, wf_text_clip(written));
	else if (n_fit > 1)
		wf_query_complain_name(b, ERRCODE_AMBIGUOUS_FUNCTION, path,
							   psprintf("Write the signature, such as \"%s(integer)\".", written),
							   "%s \"%s\" is not unique: %d take these arguments", kind, wf_text_clip(written), n_fit);
	else if (n_kind == 1)
		wf_query_complain_name(b, ERRCODE_UNDEFINED_FUNCTION, path, hint,
							   "%s \"%s\" does not take these arguments: %s", kind, wf_text_clip(written), reason);
	else
		wf_query_complain_name(b, ERRCODE_UNDEFINED_FUNCTION, path, NULL,
							   "no %s \"%s\" takes these arguments", kind, wf_text_clip(written));
	return false;
}

/* -- text -- */

static void
append_argument(WfBuild *b, const Input *input, WfConfigPart value, const char *label)
{
	Oid			type = getBaseType(input->type);
	WfNature	nature = WF_NATURE_ANY;
	int			choice = -1;
	WfParam    *param;

	if (get_typtype(type) == TYPTYPE_PSEUDO)
	{
		nature = wf_query_nature(b, &value, true, WF_NATURE_STRING, &choice);
		type = nature == WF_NATURE_NUMBER ? NUMERICOID : nature == WF_NATURE_BOOL ? BOOLOID
			: nature == WF_NATURE_JSON ? JSONBOID : TEXTOID;
		param = wf_query_param(b, value, type, WF_PICK_VALUE, label);
		param->choice = choice;
		param->nature = nature;
		param->nature_typed = true;
	}
	else
		(void) wf_query_param(b, value, type, WF_PICK_VALUE, label);
	appendStringInfo(&b->sql, "$%d", b->n_params);
}

static void
append_call(WfBuild *b, const Candidate *candidate, const Arguments *args)
{
	const char *name = get_func_name(candidate->oid);
	const char *schema = get_namespace_name(get_func_namespace(candidate->oid));
	int			n_added = 0;

	appendStringInfo(&b->sql, "%s(", quote_qualified_identifier(schema, name));
	for (int i = 0; i < candidate->n_inputs; i++)
	{
		const Input *input = &candidate->inputs[i];
		bool		is_out = input->mode == PROARGMODE_OUT;

		if (!is_out && input->value < 0)
			continue;
		if (n_added++ > 0)
			appendStringInfoString(&b->sql, ", ");
		if (input->mode == PROARGMODE_VARIADIC)
			appendStringInfoString(&b->sql, "VARIADIC ");
		if (args->by_name && input->name != NULL && input->name[0] != '\0')
			appendStringInfo(&b->sql, "%s => ", quote_identifier(input->name));
		if (is_out)
			appendStringInfoString(&b->sql, "NULL");
		else
			append_argument(b, input, args->values[input->value],
							args->by_name ? args->names[input->value] : psprintf("args[%d]", input->value));
	}
	appendStringInfoChar(&b->sql, ')');
}

void
wf_query_build_call(WfBuild *b)
{
	WfConfigPart name;
	bool		procedure = wf_query_part_config(b, "procedure", &name);
	const char *written;
	Arguments	args;
	Candidate	candidate = {0};

	b->mode = WF_SINK_VALUE;
	if (!procedure && !wf_query_part_config(b, "function", &name))
	{
		wf_query_complain(b, NULL, NULL, "\"function\" or \"procedure\" is missing");
		return;
	}
	written = wf_query_part_string(b, name, procedure ? "\"procedure\"" : "\"function\"");
	if (!take_arguments(b, &args) || written == NULL || b->wild)
		return;
	if (!choose(b, written, procedure, name.path, &args, &candidate))
		return;
	b->function = candidate.oid;
	if (procedure)
		b->mode = WF_SINK_FIRST;
	else if (candidate.returns_set)
		b->mode = WF_SINK_ROWS;
	appendStringInfoString(&b->sql, procedure ? "CALL " : candidate.returns_set ? "SELECT * FROM " : "SELECT ");
	append_call(b, &candidate, &args);
	if (!procedure && !candidate.returns_set)
		appendStringInfoString(&b->sql, " AS value");
}

void
wf_query_call_block(Oid function, const JsonbValue *config, const JsonbValue *input, JsonbValue *out)
{
	Oid			types[2] = {JSONBOID, JSONBOID};
	char	   *name = get_func_name(function);
	char	   *schema = name != NULL ? get_namespace_name(get_func_namespace(function)) : NULL;
	ParamListInfo params = makeParamList(2);
	WfRowSink	sink;
	WfPlan	   *plan;

	if (schema == NULL)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION), errmsg("function with OID %u does not exist", function),
						errhint("Register the block again.")));
	params->params[0] = (ParamExternData) {JsonbPGetDatum(wf_json_copy(config)), false, PARAM_FLAG_CONST, JSONBOID};
	params->params[1] = (ParamExternData) {JsonbPGetDatum(wf_json_copy(input)), false, PARAM_FLAG_CONST, JSONBOID};
	plan = wf_query_plan_shared(psprintf("SELECT %s($1, $2) AS value", quote_qualified_identifier(schema, name)), "",
								2, types, NIL, function);
	plan->n_users++;
	PG_TRY();
	{
		wf_query_sink_begin(&sink, WF_SINK_VALUE);
		wf_query_plan_run(plan, params, &sink);
	}
	PG_FINALLY();
	{
		wf_query_plan_release(plan);
	}
	PG_END_TRY();
	wf_json_set_null(out);
	if (sink.has_value)
		*out = sink.value;
}
