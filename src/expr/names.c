/*
 * names.c: what a name stands for: a parameter, a root of the context, a built-in; and the paths
 * that begin at a root.
 *
 * `$input.a.b[0]` becomes one WfPathNode: the root and its steps, walked in one go on the binary
 * jsonb. `$node.x.output` is resolved to the node's number here when the caller has a graph, so that
 * a misspelt node is refused when the definition is saved.
 */
#include "postgres.h"

#include <math.h>

#include "base/secret.h"
#include "base/text.h"
#include "expr/code.h"
#include "expr/parser.h"

typedef struct RootName
{
	const char *name;
	WfRoot		root;
} RootName;

static const RootName root_names[] = {
	{"$input", WF_ROOT_INPUT},
	{"$trigger", WF_ROOT_TRIGGER},
	{"$vars", WF_ROOT_VARS},
	{"$env", WF_ROOT_ENV},
	{"$secrets", WF_ROOT_SECRETS},
	{"$item", WF_ROOT_ITEM},
	{"$index", WF_ROOT_INDEX},
	{"$items", WF_ROOT_ITEMS},
	{"$error", WF_ROOT_ERROR},
	{"$run", WF_ROOT_RUN},
	{"$node", WF_ROOT_NODE},
};

static const char *const part_names[] = {"output", "error", "status", "port"};

/* Names that people bring from elsewhere. */
static const struct
{
	const char *name;
	const char *hint;
}			foreign_names[] = {
	{"$json", "Use $input for the output of the node before, or $node.id.output."},
	{"$", "Use $node.id.output or $node[\"Name\"].output."},
	{"$binary", "Use $input for the output of the node before."},
	{"$workflow", "Use $run.workflow."},
	{"$execution", "Use $run."},
	{"$itemIndex", "Use $index."},
	{"$runIndex", "Use $run.iteration."},
	{"$variables", "Use $vars."},
	{"$prevNode", "Use $input, or $node.id.output."},
};

/* Words that begin statements, or that there is nothing behind here. */
static const char *const keywords[] = {
	"await", "async", "break", "case", "catch", "class", "const", "continue", "debugger", "default", "delete", "do",
	"else", "enum", "eval", "export", "extends", "finally", "for", "function", "if", "import", "let", "new", "null",
	"return", "super", "switch", "this", "throw", "true", "false", "try", "typeof", "var", "void", "while", "with",
	"yield", "in", "instanceof"
};

static const char *const code_hint =
"Expressions know the names that begin with $ and JavaScript's built-in functions; statements, \"this\", imports and all other globals belong in a \"code\" block.";

/* Where full JavaScript is allowed. */
static const char *names_hint = "Expressions know the names that begin with $ and JavaScript's built-in functions.";

static bool
token_is(const WfToken *t, const char *word)
{
	return t->len == strlen(word) && memcmp(t->text, word, t->len) == 0;
}

bool
wf_expr_is_root_name(const char *name, uint32 len)
{
	for (int i = 0; i < lengthof(root_names); i++)
		if (strlen(root_names[i].name) == len && memcmp(root_names[i].name, name, len) == 0)
			return true;
	return false;
}

/* The hint for a word that cannot be a name; *what is the word, or NULL when it is an ordinary name. */
const char *
wf_expr_keyword_hint(const WfToken *token, const char **what)
{
	*what = NULL;
	for (int i = 0; i < lengthof(keywords); i++)
		if (token_is(token, keywords[i]))
			*what = keywords[i];
	return code_hint;
}

/* -- paths -- */

static void
note_node(WfParser *p, int index)
{
	if (p->n_nodes == p->nodes_capacity)
	{
		p->nodes_capacity = p->nodes_capacity == 0 ? 4 : p->nodes_capacity * 2;
		p->nodes = p->nodes == NULL ? palloc(p->nodes_capacity * sizeof(int)) :
			repalloc(p->nodes, p->nodes_capacity * sizeof(int));
	}
	p->nodes[p->n_nodes++] = index;
}

static const WfExprNode *
find_node(WfParser *p, WfPathNode *path, const char *key, uint32 len, int pos)
{
	const char *nearest;

	path->node_index = p->names->node_index(p->names, key, len);
	if (path->node_index >= 0)
	{
		note_node(p, path->node_index);
		path->name = pnstrdup(key, len);
		return &path->node;
	}
	nearest = p->names->nearest ? p->names->nearest(p->names, key, len) : NULL;
	wf_expr_fail(p, pos, nearest ? psprintf("Did you mean \"%s\"?", nearest) : NULL, "there is no node \"%.*s\"",
				 (int) Min(len, 64), key);
	return wf_expr_fail_finally(p);
}

static const WfExprNode *
find_part(WfParser *p, WfPathNode *path, const char *key, uint32 len, int pos)
{
	const char *hint;

	for (int i = 0; i < lengthof(part_names); i++)
		if (strlen(part_names[i]) == len && memcmp(part_names[i], key, len) == 0)
		{
			path->part = (WfNodePart) i;
			return &path->node;
		}
	hint = wf_text_did_you_mean(pnstrdup(key, len), part_names, lengthof(part_names));
	wf_expr_fail(p, pos, hint ? hint : "A node has .output, .error, .status and .port.", "a node has no \"%.*s\"",
				 (int) Min(len, 64), key);
	return wf_expr_fail_finally(p);
}

/* The name of a secret; what follows it would be asked of a value that nobody has yet. */
static const WfExprNode *
find_secret(WfParser *p, WfPathNode *path, const char *key, uint32 len, int pos)
{
	if (path->n > 0)
		return wf_expr_fail(p, pos, "Secrets can be joined with texts and chosen among; their values are put in when the request is sent.",
							"a secret has no members here");
	if (key == NULL)
		return wf_expr_fail(p, pos, "Write the secret's name as a constant: $secrets.NAME.", "$secrets needs a fixed name");
	if (!wf_secret_name_is_valid(key, len))
		return wf_expr_fail(p, pos, "Names of secrets are letters, digits and underscores.", "\"%.*s\" is no name of a secret",
							(int) Min(len, 64), key);
	path->node.eval = wf_expr_eval_secret;
	path->steps = palloc0(sizeof(WfPathStep));
	path->n = path->capacity = 1;
	path->steps[0].key = key;
	path->steps[0].len = len;
	path->steps[0].pos = pos - p->start;
	p->secrets = lappend(p->secrets, pnstrdup(key, len));
	return &path->node;
}

/* Adds a step to a path (an index when key is NULL: the caller sets it). */
const WfExprNode *
wf_expr_path_member(WfParser *p, const WfExprNode *base, const char *key, uint32 len, int pos, bool optional)
{
	WfPathNode *path = (WfPathNode *) base;
	WfPathStep *step;

	if (path->root == WF_ROOT_SECRETS)
		return find_secret(p, path, key, len, pos);
	if (path->root == WF_ROOT_COUNT && path->node_index < 0)
		return find_node(p, path, key, len, pos);
	if (path->root == WF_ROOT_COUNT && path->part == WF_NODE_ALL && path->n == 0 && key != NULL)
		return find_part(p, path, key, len, pos);
	if (path->n == path->capacity)
	{
		path->capacity = path->capacity == 0 ? 4 : path->capacity * 2;
		path->steps = path->steps == NULL ? palloc(path->capacity * sizeof(WfPathStep)) :
			repalloc(path->steps, path->capacity * sizeof(WfPathStep));
	}
	step = &path->steps[path->n++];
	memset(step, 0, sizeof(*step));
	step->key = key;
	step->len = len;
	step->pos = pos - p->start;
	step->optional = optional;
	return &path->node;
}

static const WfExprNode *
make_path(WfParser *p, const WfToken *t, WfRoot root)
{
	WfPathNode *path;

	if (root == WF_ROOT_SECRETS && (p->names == NULL || !p->names->allow_secrets))
	{
		wf_expr_fail(p, t->pos, "Secrets can be named only in fields marked for them: auth, headers, url, query and body of requests.",
					 "$secrets is not available here");
		return wf_expr_fail_finally(p);
	}
	if (root == WF_ROOT_SECRETS && !at_punct(p, P1('.')) && !at_punct(p, P2('?', '.')) && !at_punct(p, P1('[')))
		return wf_expr_fail(p, t->pos, "Write $secrets.NAME.", "$secrets needs the name of a secret");
	path = wf_expr_node(p, sizeof(WfPathNode), WF_N_PATH, t->pos, wf_expr_eval_path, NULL, NULL, NULL);
	if (path == NULL)
		return NULL;
	p->roots |= UINT32_C(1) << root;
	path->root = root;
	path->part = WF_NODE_ALL;
	path->name = pnstrdup(t->text, t->len);
	if (root == WF_ROOT_NODE && p->names != NULL && p->names->node_index != NULL)
	{
		path->root = WF_ROOT_COUNT;
		path->node_index = -1;
	}
	return &path->node;
}

/* -- names -- */

/* A parameter of the function around, or of one around that. */
static const WfExprNode *
find_local(WfParser *p, const WfToken *t)
{
	int			up = 0;

	for (WfFunctionScope *scope = p->scope; scope != NULL; scope = scope->parent, up++)
		for (int i = 0; i < scope->n; i++)
			if (scope->lens[i] == t->len && memcmp(scope->names[i], t->text, t->len) == 0)
			{
				WfLocalNode *node = wf_expr_node(p, sizeof(WfLocalNode), WF_N_OTHER, t->pos, wf_expr_eval_local, NULL, NULL,
												 NULL);

				if (node == NULL)
					return NULL;
				node->up = up;
				node->slot = i;
				return &node->node;
			}
	return NULL;
}

static bool
constant_name(const WfToken *t, WfValue *value)
{
	if (token_is(t, "true") || token_is(t, "false"))
		set_bool(value, t->text[0] == 't');
	else if (token_is(t, "null"))
		set_null(value);
	else if (token_is(t, "undefined"))
		set_undefined(value);
	else if (token_is(t, "NaN"))
		set_number(value, NAN);
	else if (token_is(t, "Infinity"))
		set_number(value, INFINITY);
	else
		return false;
	return true;
}

/* `$if(cond, a, b)`: evaluates only the branch taken. */
static const WfExprNode *
parse_if(WfParser *p, const WfToken *t)
{
	WfCallNode *node = wf_expr_node(p, sizeof(WfCallNode), WF_N_OTHER, t->pos, wf_expr_eval_if, NULL, NULL, NULL);

	if (node == NULL)
		return NULL;
	if (!at_punct(p, P1('(')))
		return wf_expr_fail(p, t->pos, NULL, "$if needs arguments: $if(condition, value, otherwise)");
	if (!wf_expr_parse_arguments(p, node))
		return NULL;
	if (node->n < 2 || node->n > 3 || (node->node.flags & WF_NF_SPREAD))
		return wf_expr_fail(p, t->pos, NULL, "$if takes two or three arguments: $if(condition, value, otherwise)");
	return &node->node;
}

static const WfExprNode *
unknown_name(WfParser *p, const WfToken *t)
{
	const char *candidates[lengthof(root_names) + 4];
	const char *name = pnstrdup(t->text, Min(t->len, 64));
	const char *otherwise = p->names != NULL && p->names->allow_code ? names_hint : code_hint;
	const char *hint = NULL;
	int			n = 0;

	if (wf_expr_is_assignment(peek(p)))
		return wf_expr_fail(p, peek(p)->pos, wf_expr_statement_hint, "assignment is not available in an expression");
	if (at_punct(p, P2('+', '+')) || at_punct(p, P2('-', '-')))
		return wf_expr_fail(p, peek(p)->pos, wf_expr_statement_hint, "%.2s changes a variable, which an expression cannot do",
							p->lexer.source + peek(p)->pos);
	for (int i = 0; i < lengthof(foreign_names); i++)
		if (token_is(t, foreign_names[i].name))
		{
			wf_expr_fail(p, t->pos, foreign_names[i].hint, "unknown name \"%s\"", name);
			return wf_expr_fail_finally(p);
		}
	if (t->text[0] == '$')
	{
		for (int i = 0; i < lengthof(root_names); i++)
			candidates[n++] = root_names[i].name;
		candidates[n++] = "$now";
		candidates[n++] = "$today";
		hint = wf_text_did_you_mean(name, candidates, n);
	}
	else
	{
		const char *nearest = wf_expr_nearest_global(name);

		if (nearest)
			hint = psprintf("Did you mean \"%s\"? %s", nearest, otherwise);
		for (int i = 0; i < lengthof(root_names); i++)
			if (strcmp(root_names[i].name + 1, name) == 0)
				hint = psprintf("Did you mean \"%s\"?", root_names[i].name);
	}
	wf_expr_fail(p, t->pos, hint ? hint : otherwise, "unknown name \"%s\"", name);
	return wf_expr_code_has_global(t->text, t->len) ? NULL : wf_expr_fail_finally(p);
}

static const WfExprNode *
constant_node(WfParser *p, int pos, uint8 tag, const void *pointer)
{
	WfValue		value;

	value.tag = tag;
	value.flags = 0;
	value.len = 0;
	value.u.builtin = pointer;
	return wf_expr_const(p, pos, &value);
}

/* The token is a name. */
const WfExprNode *
wf_expr_parse_name(WfParser *p)
{
	WfToken		t = *peek(p);
	const WfExprNode *local = find_local(p, &t);
	const WfBuiltin *global;
	const WfNamespace *space;
	const char *keyword = NULL;
	WfValue		value;

	p->at++;
	if (local != NULL || p->failed)
		return local;
	if (!t.escaped && constant_name(&t, &value))
		return wf_expr_const(p, t.pos, &value);
	for (int i = 0; i < lengthof(root_names); i++)
		if (token_is(&t, root_names[i].name))
			return make_path(p, &t, root_names[i].root);
	if (token_is(&t, "$now"))
		return wf_expr_node(p, sizeof(WfExprNode), WF_N_OTHER, t.pos, wf_expr_eval_now, NULL, NULL, NULL);
	if (token_is(&t, "$today"))
		return wf_expr_node(p, sizeof(WfExprNode), WF_N_OTHER, t.pos, wf_expr_eval_today, NULL, NULL, NULL);
	if (token_is(&t, "$if"))
		return parse_if(p, &t);
	global = wf_expr_global(t.text, t.len);
	if (global != NULL)
		return constant_node(p, t.pos, WF_V_BUILTIN, global);
	space = wf_expr_namespace(t.text, t.len);
	if (space != NULL)
		return constant_node(p, t.pos, WF_V_NAMESPACE, space);
	wf_expr_keyword_hint(&t, &keyword);
	if (keyword != NULL && !t.escaped)
		return wf_expr_fail(p, t.pos, code_hint, "\"%s\" is not available in an expression", keyword);
	return unknown_name(p, &t);
}
