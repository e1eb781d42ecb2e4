/*
 * report.c: how this room says what is wrong.
 *
 * 1. A WfPlace says where; path and wording are made from it here and nowhere else, so that all
 *    messages name things alike: `node "a"`, `"retry" of node "a"`, `edge 3`.
 * 2. Names from the definition are clipped before they enter a message: an id may be megabytes long.
 * 3. Hints with the nearest name cost an edit distance per candidate. A definition may be wrong a
 *    hundred thousand times, so hints are paid from a budget and are left out once it is used up, and
 *    no text is made at all for a diagnostic that would be dropped.
 */
#include "postgres.h"

#include "base/text.h"
#include "graph/build.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"

/* A key as a step of a jsonpath. */
static void
append_key(StringInfo path, const char *key)
{
	const char *clipped = wf_text_clip(key);

	if (clipped == key || strcmp(clipped, key) == 0)
	{
		if (wf_graph_is_identifier(key))
		{
			appendStringInfo(path, ".%s", key);
			return;
		}
	}
	appendStringInfoString(path, ".\"");
	for (const char *p = clipped; *p; p++)
	{
		if (*p == '"' || *p == '\\')
			appendStringInfoChar(path, '\\');
		appendStringInfoChar(path, *p);
	}
	appendStringInfoChar(path, '"');
}

/* The jsonpath of a place and, when given, of a key within; in CurrentMemoryContext. */
static const char *
place_path(const WfPlace *place, const char *key)
{
	StringInfoData path;

	initStringInfo(&path);
	appendStringInfoChar(&path, '$');
	if (place->list != NULL)
		appendStringInfo(&path, ".%s", place->list);
	if (place->list != NULL && place->index >= 0)
		appendStringInfo(&path, "[%d]", place->index);
	if (place->within != NULL)
		append_key(&path, place->within);
	if (key != NULL)
		append_key(&path, key);
	return path.data;
}

/* The words for a place, in CurrentMemoryContext. */
const char *
wf_graph_what(const WfPlace *place)
{
	StringInfoData what;

	initStringInfo(&what);
	if (place->within != NULL)
		appendStringInfo(&what, "\"%s\" of ", place->within);
	appendStringInfoString(&what, place->kind);
	if (place->name != NULL && place->name[0] != '\0')
		appendStringInfo(&what, " \"%s\"", wf_text_clip(place->name));
	else if (place->index >= 0)
		appendStringInfo(&what, " number %d", place->index + 1);
	return what.data;
}

/* False when what is found now would be dropped anyway. */
static bool
is_heard(const WfBuild *b)
{
	return list_length(b->found->items) < b->found->most;
}

/*
 * Adds a diagnostic at `place`, or at `key` within it when that is given. `key` and `hint` may be
 * NULL. Throws only for memory.
 */
void
wf_graph_report(WfBuild *b, WfSeverity severity, int sqlstate, const WfPlace *place, const char *key,
				const char *hint, const char *fmt, ...)
{
	if (!is_heard(b))
	{
		wf_diagnostics_add(b->found, severity, sqlstate, NULL, NULL, NULL, "more of the same");
		return;
	}

	StringInfoData message;

	initStringInfo(&message);
	WF_APPEND_ARGS(&message, fmt);

	const char *node = place->node;

	if (node != NULL && node[0] == '\0')
		node = NULL;
	else if (node != NULL && strlen(node) > WF_GRAPH_ID_BYTES)
		node = wf_text_clip(node);
	wf_diagnostics_add(b->found, severity, sqlstate, node, place_path(place, key), hint, "%s", message.data);
}

/* Is it worth making a hint? */
bool
wf_graph_wants_hint(const WfBuild *b)
{
	return is_heard(b) && b->hint_budget > 0;
}

/*
 * The one of `names` nearest to `name`, or NULL; paid from the budget. Names whose length differs too
 * much are not looked at.
 */
static const char *
nearest_within_budget(WfBuild *b, const char *name, const char *const *names, int n)
{
	int			len = strlen(name);
	const char **near;
	int			n_near = 0;
	int64		cost = 0;

	if (len == 0 || len > WF_GRAPH_NAME_BYTES || !wf_graph_wants_hint(b))
		return NULL;
	near = palloc(sizeof(char *) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		int			other = strlen(names[i]);

		if (other == 0 || abs(other - len) > WF_GRAPH_NEAR_BYTES)
			continue;
		near[n_near++] = names[i];
		cost += (int64) len * WF_GRAPH_NEAR_BYTES;
	}
	b->hint_budget -= n;
	const char *best = NULL;

	if (n_near > 0 && cost <= b->hint_budget)
	{
		b->hint_budget -= cost;
		best = wf_text_nearest(name, near, n_near);
	}
	pfree(near);
	return best;
}

/* `The <kind> are: a, b.` with at most twenty names. */
static const char *
list_names(const char *const *names, int n, const char *kind)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "The %s are:", kind);
	for (int i = 0; i < n && i < 20; i++)
		appendStringInfo(&text, "%s %s", i > 0 ? "," : "", wf_text_clip(names[i]));
	appendStringInfoString(&text, n > 20 ? " and others." : ".");
	return text.data;
}

/*
 * A hint for a name that is none of `names`: the nearest one, and the list of them all; `kind` is
 * their plural (`keys`, `ports of node "a"`). NULL when no hint is wanted or there are no names.
 */
const char *
wf_graph_hint_nearest(WfBuild *b, const char *name, const char *const *names, int n, const char *kind)
{
	if (n == 0 || !wf_graph_wants_hint(b))
		return NULL;

	const char *best = nearest_within_budget(b, name, names, n);
	const char *all = list_names(names, n, kind);

	return best == NULL ? all : psprintf("Did you mean \"%s\"? %s", wf_text_clip(best), all);
}

/*
 * A hint for a node id that does not exist, or NULL; *nearest is the node that seems to be meant, or
 * -1.
 */
const char *
wf_graph_hint_node(WfBuild *b, const char *name, int *nearest)
{
	WfGraph    *graph = b->graph;
	int			named = wf_graph_lookup(graph, b->index, name, strlen(name));

	*nearest = named;
	if (named >= 0)
		return psprintf("\"%s\" is the name of node \"%s\": nodes are referred to by their id.",
						wf_text_clip(name), wf_text_clip(graph->nodes[named].id));
	if (!wf_graph_wants_hint(b))
		return NULL;

	const char **ids = palloc(sizeof(char *) * Max(graph->n_nodes, 1));

	for (int i = 0; i < graph->n_nodes; i++)
		ids[i] = graph->nodes[i].id;

	const char *best = nearest_within_budget(b, name, ids, graph->n_nodes);

	pfree(ids);
	if (best == NULL)
		return NULL;
	*nearest = wf_graph_lookup(graph, b->index, best, strlen(best));
	return psprintf("Did you mean \"%s\"?", wf_text_clip(best));
}
