/*
 * variables.c: the `variables` of a definition.
 */
#include "postgres.h"

#include "base/text.h"
#include "graph/build.h"
#include "miscadmin.h"

#define MAX_VARIABLES 1000

enum
{
	VAR_NAME,
	VAR_TYPE,
	VAR_DEFAULT,
	VAR_REQUIRED,
	VAR_DESCRIPTION,
	VAR_KEYS
};

static const WfKey variable_keys[VAR_KEYS] = {
	[VAR_NAME] = {"name", WF_IS_STRING, true},
	[VAR_TYPE] = {"type", WF_IS_STRING},
	[VAR_DEFAULT] = {"default", WF_IS_ANY},
	[VAR_REQUIRED] = {"required", WF_IS_BOOLEAN},
	[VAR_DESCRIPTION] = {"description", WF_IS_STRING},
};

static const char *const variable_types[] = {"any", "string", "number", "integer", "boolean", "object", "array"};

/* Is the value of this type (a name of variable_types)? null is a value of type `any` alone. */
bool
wf_graph_variable_accepts(const char *type, const JsonbValue *value)
{
	int64		integer;

	if (strcmp(type, "any") == 0)
		return true;
	if (strcmp(type, "integer") == 0)
		return wf_json_int64(value, &integer);
	return strcmp(type, wf_json_type_name(value)) == 0;
}

static void
read_variable(WfBuild *b, const JsonbValue *object, int index, WfVariable *out)
{
	WfPlace		place = {.kind = "variable", .list = "variables", .index = index};
	WfField		f[VAR_KEYS];

	place.name = wf_json_get_cstring(object, "name");
	wf_graph_read(b, object, &place, variable_keys, VAR_KEYS, f);
	out->name = wf_graph_read_text(b, &f[VAR_NAME], &place, "name", WF_GRAPH_ID_BYTES);
	if (out->name != NULL && !wf_graph_is_identifier(out->name))
		wf_graph_wrong(b, &place, "name", "A name is made of letters, digits and underscores and does not begin with a digit.",
					   "invalid name of a variable: \"%s\"", wf_text_clip(out->name));

	int			type = wf_graph_read_choice(b, &f[VAR_TYPE], &place, "type", variable_types, lengthof(variable_types));

	out->type = variable_types[Max(type, 0)];
	out->required = f[VAR_REQUIRED].present && f[VAR_REQUIRED].value.val.boolean;
	wf_json_set_null(&out->default_value);
	if (!f[VAR_DEFAULT].present)
		return;
	if (f[VAR_DEFAULT].value.type != jbvNull && !wf_graph_variable_accepts(out->type, &f[VAR_DEFAULT].value))
		wf_graph_wrong(b, &place, "default", NULL, "default of %s must be of type %s, not %s", wf_graph_what(&place),
					   out->type, wf_json_type_name(&f[VAR_DEFAULT].value));
	wf_graph_keep_value(b, &f[VAR_DEFAULT].value, &out->default_value);
}

static void
report_duplicates(WfBuild *b)
{
	WfGraph    *graph = b->graph;
	WfTable    *table = wf_table_make(b->scratch, graph->n_variables);

	for (int i = 0; i < graph->n_variables; i++)
	{
		const char *name = graph->variables[i].name;

		if (name == NULL)
			continue;

		uint32		hash = wf_table_hash(name, strlen(name));
		uint32		at = wf_table_begin(table, hash);
		int			other;

		while ((other = wf_table_next(table, hash, &at)) >= 0)
			if (strcmp(graph->variables[other].name, name) == 0)
				break;
		if (other < 0)
		{
			wf_table_add(table, hash, i);
			continue;
		}

		WfPlace		place = {.kind = "variable", .list = "variables", .index = i, .name = name};

		wf_graph_wrong(b, &place, "name", NULL, "variable \"%s\" is declared twice", wf_text_clip(name));
	}
}

/* Reads the variables into the graph. */
void
wf_graph_read_variables(WfBuild *b, const WfField *section)
{
	WfPlace		root = {.kind = "the definition", .index = -1};
	WfGraph    *graph = b->graph;
	WfJsonIter	it;
	JsonbValue	item;

	if (!section->present)
		return;

	int			n = wf_json_count(&section->value);

	if (n > MAX_VARIABLES)
	{
		wf_graph_report(b, WF_SEVERITY_ERROR, WF_ERRCODE_LIMIT_EXCEEDED, &root, "variables", NULL,
						"the definition has %d variables, more than %d", n, MAX_VARIABLES);
		return;
	}
	graph->variables = wf_graph_keep_array(b, n, sizeof(WfVariable));
	graph->n_variables = n;
	wf_json_iter_begin(&it, &section->value);
	for (int i = 0; wf_json_iter_next(&it, NULL, &item); i++)
	{
		WfPlace		place = {.kind = "variable", .list = "variables", .index = i};

		CHECK_FOR_INTERRUPTS();
		if (wf_json_is_object(&item))
			read_variable(b, &item, i, &graph->variables[i]);
		else
			wf_graph_wrong(b, &place, NULL, "A variable looks like {\"name\": \"region\", \"type\": \"string\", \"default\": \"EU\"}.",
						   "%s must be an object, not %s", wf_graph_what(&place), wf_json_type_name(&item));
	}
	report_duplicates(b);
}
