/*
 * marks.c: where the schemas in a node's config mark personal data.
 */
#include "postgres.h"

#include "base/pii.h"
#include "block/block.h"
#include "schema/schema.h"

/* Where a config has a schema, and the member of the run's input or the node's output that it is for (NULL: all of it). */
static const struct
{
	const char *key;
	const char *inner;			/* a member of that, or NULL */
	const char *prefix;
}			places[] = {
	{"inputSchema", NULL, NULL},
	{"validation", "schema", "body"},
	{"form", NULL, "data"},
	{"schema", NULL, NULL},
};

bool
wf_block_marks(const WfNode *node, WfPiiPaths *paths)
{
	JsonbValue	config;
	JsonbValue	schema;

	if (node->config == NULL)
		return true;
	wf_json_root(node->config, &config);
	for (int i = 0; i < lengthof(places); i++)
	{
		if (!wf_json_field(&config, places[i].key, &schema) || !wf_json_is_object(&schema))
			continue;
		if (places[i].inner != NULL && !wf_json_field(&schema, places[i].inner, &schema))
			continue;
		if (!wf_schema_personal(&schema, places[i].prefix, paths))
			return false;
	}
	return true;
}

