/*
 * custom.c: any SQL function (config jsonb, input jsonb) RETURNS jsonb as a block.
 *
 * The function gets the node's config with its templates evaluated, and `$input`. It runs as the
 * run's role, which must be allowed to call it, and as any statement of the run: what it does to the
 * data is part of the segment.
 *
 * What it returns says where the node goes on:
 *	an object with a member "$port"		leaves at that port; the output is its member "output" ({} when
 *										there is none). A port that the block does not have is 22023.
 *	any other object					leaves at the first port with it as the output
 *	anything else, v					leaves at the first port with {"value": v}
 */
#include "postgres.h"

#include "base/text.h"
#include "block/custom.h"
#include "block/support.h"
#include "query/query.h"

/* The block is first, so that a pointer to it is one to the whole. */
typedef struct CustomBlock
{
	WfBlock		block;
	Oid			function;
} CustomBlock;

static WfOutcome
outcome_of(WfStep *step, const JsonbValue *value)
{
	JsonbValue	name;
	JsonbValue	output;
	int			port;

	if (!wf_json_is_object(value))
		return wf_block_done(0, wf_block_object1("value", value));
	if (!wf_json_field(value, "$port", &name))
		return wf_block_done(0, wf_json_copy(value));
	port = wf_json_is_string(&name) ? wf_block_port(step->node, wf_json_cstring(&name)) : -1;
	if (port < 0 || port == step->node->error_port)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("block \"%s\" has no port %s", step->node->type, wf_text_clip(wf_json_text(&name))),
						errhint("The function's \"$port\" must be one of the ports it was registered with.")));
	if (!wf_json_field(value, "output", &output))
		return wf_block_done(port, wf_json_empty_object());
	return wf_block_done(port, wf_json_copy(&output));
}

static WfOutcome
custom_execute(WfStep *step)
{
	const CustomBlock *own = (const CustomBlock *) step->node->block;
	JsonbValue	config;
	JsonbValue	result;

	wf_template_eval(step->config, step->scope, &config);
	wf_query_call_block(own->function, &config, &step->input, &result);
	return outcome_of(step, &result);
}

const WfBlock *
wf_block_custom_make(const char *type, Oid function, const Jsonb *config_schema, const char *const *ports)
{
	CustomBlock *own = palloc0(sizeof(CustomBlock));
	JsonbValue	schema;
	const char **names;
	int			n = 0;

	while (ports != NULL && ports[n] != NULL)
		n++;
	names = palloc0(sizeof(char *) * (Max(n, 1) + 1));
	names[0] = "out";
	for (int i = 0; i < n; i++)
		names[i] = pstrdup(ports[i]);
	wf_json_root(config_schema, &schema);
	own->function = function;
	own->block.type = pstrdup(type);
	own->block.category = "custom";
	own->block.summary = "A block of one's own";
	own->block.config_schema = wf_json_text(&schema);
	own->block.output_schema = "{}";
	own->block.ports = names;
	own->block.flags = WF_BLOCK_WRITES;
	own->block.execute = custom_execute;
	return &own->block;
}
