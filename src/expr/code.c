/*
 * code.c: expressions that the interpreter does not know, in full JavaScript behind the sandbox's wall.
 *
 * 1. The parser asks here when it has refused a source and WfNames allows code. An expression is the body `return (EXPR)` of what
 *    the sandbox calls. It must also be one within brackets, so that nothing closes a parenthesis that it did not open.
 * 2. In a template, where the expression ends is not known: each `}}` is tried, the first one first, until what is before it is an
 *    expression. The tries are bounded.
 * 3. What it reads is found by the sandbox, and is noted as the parser notes it: nodes, roots. Names that it reads and that nobody has are
 *    refused now.
 * 4. The result is a WfExpr whose tree is one node, which code_call.c evaluates.
 *
 * When both refuse a source, the one that came further knows better why: it did not stumble where the other did.
 */
#include "postgres.h"

#include <ctype.h>

#include "base/error.h"
#include "base/text.h"
#include "expr/code.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

#define VALUE_TAIL "\n)"
#define TRUTH_TAIL "\n))"
#define LIST_HEAD "return ["
#define LIST_TAIL "\n]"

#define MOST_TRIES 50
#define MOST_TRIED_BYTES (256 * 1024)

/* What the sandbox has of JavaScript's globals and the interpreter has not. */
static const char *const more_globals[] = {
	"AggregateError", "ArrayBuffer", "BigInt64Array", "BigUint64Array", "DataView", "Error", "EvalError", "FinalizationRegistry",
	"Float32Array", "Float64Array", "Function", "Int16Array", "Int32Array", "Int8Array", "InternalError", "Promise", "Proxy",
	"RangeError", "ReferenceError", "Reflect", "SharedArrayBuffer", "Symbol", "SyntaxError", "TypeError", "URIError", "Uint16Array",
	"Uint32Array", "Uint8Array", "Uint8ClampedArray", "WeakMap", "WeakRef", "WeakSet", "console", "escape", "globalThis",
	"queueMicrotask", "unescape",
};

bool
wf_expr_code_has_global(const char *name, uint32 len)
{
	for (int i = 0; i < lengthof(more_globals); i++)
		if (strlen(more_globals[i]) == len && memcmp(more_globals[i], name, len) == 0)
			return true;
	return false;
}

/* -- places -- */

/* The byte of a source that is at a line and column of a body; the columns of the first line are `head` too high. */
int
wf_expr_code_byte(const char *source, int len, int line, int column, int head)
{
	const char *at = source;
	const char *end = source + len;

	if (line <= 0)
		return 0;
	if (line == 1)
		column -= head;
	for (; line > 1; line--)
	{
		const char *next = memchr(at, '\n', end - at);

		if (next == NULL)
			return len;			/* the tail's line */
		at = next + 1;
	}
	for (; column > 1 && at < end; column--)
		at += pg_mblen(at);
	return (int) (Min(at, end) - source);
}

static bool
is_word(char c)
{
	return isalnum((unsigned char) c) || c == '_' || c == '$' || IS_HIGHBIT_SET(c);
}

/* The first place at or behind a line at which a name stands; the line's beginning when there is none. */
static int
byte_of_name(const char *source, int len, int line, const char *name)
{
	int			from = line > 1 ? wf_expr_code_byte(source, len, line, 1, 0) : 0;
	int			name_len = strlen(name);
	const char *at = source + from;

	while ((at = memmem(at, source + len - at, name, name_len)) != NULL)
	{
		const char *after = at + name_len;

		if ((at == source || !is_word(at[-1])) && (after == source + len || !is_word(*after)))
			return (int) (at - source);
		at++;
	}
	return from;
}

/* -- reading -- */

/* A source that is being read. */
typedef struct Reading
{
	WfParser   *p;
	const char *source;
	int			len;
	WfCodeNode   *code;
	bool		failed;
	int			fail_at;		/* bytes in the source */
	int			fail_code;
	const char *message;
	const char *hint;
} Reading;

static void
refuse_name(Reading *r, const WfCodeRead *read, const char *name, const char *hint, const char *message)
{
	if (r->failed)
		return;
	r->failed = true;
	r->fail_at = byte_of_name(r->source, r->len, read->line, name);
	r->fail_code = WF_ERRCODE_EXPRESSION_INVALID;
	r->message = memchr(r->source, '\n', r->len) == NULL ? message : psprintf("%s, in line %d", message, read->line);
	r->hint = hint;
}

static void
add_node(Reading *r, const char *key, int index)
{
	WfCodeNode   *code = r->code;

	for (int i = 0; i < code->n_nodes; i++)
		if (strcmp(code->nodes[i].key, key) == 0)
			return;
	code->nodes = code->nodes == NULL ? palloc(sizeof(WfCodeNodeRead)) :
		repalloc(code->nodes, sizeof(WfCodeNodeRead) * (code->n_nodes + 1));
	code->nodes[code->n_nodes++] = (WfCodeNodeRead) {key, index};
}

static void
read_node(Reading *r, const WfCodeRead *read)
{
	const WfNames *names = r->p->names;
	int			index = names->node_index(names, read->member, strlen(read->member));
	const char *nearest;

	if (index >= 0)
	{
		add_node(r, read->member, index);
		return;
	}
	nearest = names->nearest == NULL ? NULL : names->nearest(names, read->member, strlen(read->member));
	refuse_name(r, read, read->member, nearest == NULL ? NULL : psprintf("Did you mean \"%s\"?", nearest),
				psprintf("there is no node \"%s\"", wf_text_clip(read->member)));
}

/* All nodes, by their ids. */
static void
read_all_nodes(Reading *r)
{
	const WfNames *names = r->p->names;

	r->p->any_node = true;
	for (int i = 0; i < names->n_nodes; i++)
	{
		const char *id = names->node_id(names, i);

		if (id != NULL)
			add_node(r, id, i);
	}
}

/* Would a member of this name be a method of the object's, which sees the rest of it? */
static bool
is_of_prototype(const char *member)
{
	static const char *const methods[] = {
		"constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString", "valueOf"
	};

	for (int i = 0; i < lengthof(methods); i++)
		if (strcmp(methods[i], member) == 0)
			return true;
	return strncmp(member, "__", 2) == 0;
}

static void
read_root(Reading *r, int name, const char *member)
{
	WfCodeRootRead   *root = &r->code->roots[name];

	root->is_read = true;
	if (member == NULL || is_of_prototype(member))
		root->whole = true;
	for (int i = 0; i < root->n_members && !root->whole; i++)
		if (strcmp(root->members[i], member) == 0)
			return;
	if (root->whole)
		return;
	root->members = root->members == NULL ? palloc(sizeof(char *)) :
		repalloc(root->members, sizeof(char *) * (root->n_members + 1));
	root->members[root->n_members++] = member;
}

static void
read_name(Reading *r, const WfCodeRead *read)
{
	bool		has_graph = r->p->names->node_index != NULL;
	int			name = wf_sandbox_find_name(read->name);

	if (strcmp(read->name, "$secrets") == 0)
		refuse_name(r, read, read->name, "Give the secret an expression of its own, {{ $secrets.NAME }}, beside this one.",
					"$secrets is not available in full JavaScript");
	else if (strcmp(read->name, "$if") == 0 || wf_expr_global(read->name, strlen(read->name)) != NULL)
		refuse_name(r, read, read->name, "The shorthands are the interpreter's, and something else here needs full JavaScript.",
					psprintf("%s is not available in full JavaScript", read->name));
	else if (name == WF_CODE_N_NAMES)
		refuse_name(r, read, read->name, wf_text_did_you_mean(read->name, wf_code_names, WF_CODE_N_NAMES),
					psprintf("unknown name \"%s\"", wf_text_clip(read->name)));
	else if (name == WF_CODE_NODE && has_graph && read->member != NULL)
		read_node(r, read);
	else if (name == WF_CODE_NODE && has_graph)
		read_all_nodes(r);
	else
		read_root(r, name, read->member);
}

static void
read_names(Reading *r, const List *reads)
{
	ListCell   *cell;

	foreach(cell, reads)
	{
		const WfCodeRead *read = lfirst(cell);

		if (read->name != NULL)
		{
			read_name(r, read);
			continue;
		}
		/* it evaluates texts, which may name anything */
		if (r->p->names->node_index != NULL)
			read_all_nodes(r);
		for (int name = 0; name < WF_CODE_N_NAMES; name++)
			if (name != WF_CODE_NODE || r->p->names->node_index == NULL)
				read_root(r, name, NULL);
	}
}

/* The sandbox's reason in words that do not tell of the brackets that were put around the source. */
static const char *
reason_of(const Reading *r, const char *message)
{
	const char *at = r->source + r->fail_at;

	if (strstr(message, "']'") == NULL && strstr(message, "')'") == NULL)
		return message;
	if (r->fail_at >= r->len)
		return "expression ends too early";
	return psprintf("unexpected \"%.*s\"", pg_mblen(at), at);
}

/* Has the sandbox read the source between head and tail; false with the problem. */
static bool
reads_of(Reading *r, const char *head, const char *tail, List **reads)
{
	char	   *body = psprintf("%s%.*s%s", head, r->len, r->source, tail);
	WfCodeProblem problem;
	bool		good = wf_sandbox_read(body, strlen(body), reads, &problem);

	pfree(body);
	if (good)
		return true;
	r->failed = true;
	/* some reasons have no place: then it is where the parser stumbled */
	r->fail_at = problem.line > 0 ? wf_expr_code_byte(r->source, r->len, problem.line, problem.column, strlen(head)) :
		Min(Max(r->p->fail_pos - r->p->start, 0), r->len);
	r->fail_code = problem.sqlstate == WF_ERRCODE_DEFINITION_INVALID ? WF_ERRCODE_EXPRESSION_INVALID : problem.sqlstate;
	r->message = reason_of(r, problem.message);
	return false;
}

/* Reads one source; false with the problem. */
static bool
read_source(Reading *r)
{
	List	   *reads;

	r->failed = false;
	if (!reads_of(r, LIST_HEAD, LIST_TAIL, &reads) || !reads_of(r, WF_CODE_VALUE_HEAD, VALUE_TAIL, &reads))
		return false;
	r->code = palloc0(sizeof(WfCodeNode));
	r->code->node.eval = wf_expr_eval_code;
	r->code->node.kind = WF_N_OTHER;
	r->code->node.depth = 1;
	r->code->value_source = psprintf(WF_CODE_VALUE_HEAD "%.*s" VALUE_TAIL, r->len, r->source);
	r->code->truth_source = psprintf(WF_CODE_TRUTH_HEAD "%.*s" TRUTH_TAIL, r->len, r->source);
	read_names(r, reads);
	return !r->failed;
}

/* -- what the parser is told -- */

/* Notes what the source reads, as the parser does. */
static void
note_reads(WfParser *p, const WfCodeNode *code)
{
	p->roots = code->n_nodes > 0 ? UINT32_C(1) << WF_ROOT_NODE : 0;
	for (int name = 0; name < WF_CODE_N_NAMES; name++)
		if (code->roots[name].is_read && wf_expr_code_roots[name] != WF_ROOT_COUNT)
			p->roots |= UINT32_C(1) << wf_expr_code_roots[name];
	p->secrets = NIL;
	p->n_nodes = code->n_nodes;
	p->nodes = palloc(sizeof(int) * Max(code->n_nodes, 1));
	for (int i = 0; i < code->n_nodes; i++)
		p->nodes[i] = code->nodes[i].index;
}

static int
without_space(const char *whole, int start, int stop)
{
	while (stop > start && strchr(" \t\r\n", whole[stop - 1]))
		stop--;
	return stop;
}

/* Takes the reason of one try for that of all: a name that nobody has, the first that is within its source, else the first. */
static void
keep_problem(Reading *kept, const Reading *tried)
{
	bool		within = tried->fail_at < tried->len || tried->fail_code != WF_ERRCODE_EXPRESSION_INVALID;

	if (!kept->failed || tried->code != NULL || (within && kept->fail_at >= kept->len))
		*kept = *tried;
}

/*
 * Tells the parser's problem, or ours when that is further on. At the same place it is the parser's unless that has a hint, which
 * is mostly to leave for a "code" block what is allowed here.
 */
static void
tell_problem(WfParser *p, const Reading *kept)
{
	int			at = p->start + kept->fail_at;

	if (!kept->failed)
	{
		p->fail_pos = p->lexer.len;
		p->message = "expected \"}}\" at the end of the expression";
		p->hint = NULL;
	}
	else if (kept->fail_code == ERRCODE_FEATURE_NOT_SUPPORTED)
		p->hint = "Full JavaScript is allowed, but this installation was built without it.";
	else if (kept->code != NULL || kept->fail_code != WF_ERRCODE_EXPRESSION_INVALID || at > p->fail_pos ||
			 (at == p->fail_pos && p->hint != NULL))
	{
		p->fail_pos = at;
		p->fail_code = kept->fail_code;
		p->message = kept->message;
		p->hint = kept->hint;
	}
}

const WfExprNode *
wf_expr_parse_code(WfParser *p, bool in_braces, int *stop)
{
	const char *whole = p->lexer.source;
	int			whole_len = p->lexer.len;
	Reading		kept = {.p = p};
	int			tried_bytes = 0;
	int			at = in_braces ? p->start : whole_len;

	for (int tries = 0; tries < MOST_TRIES && tried_bytes <= MOST_TRIED_BYTES; tries++)
	{
		Reading		r = {.p = p, .source = whole + p->start};
		const char *close = in_braces ? memmem(whole + at, whole_len - at, "}}", 2) : whole + whole_len;

		if (close == NULL)
			break;
		CHECK_FOR_INTERRUPTS();
		at = (int) (close - whole);
		r.len = without_space(whole, p->start, at) - p->start;
		p->any_node = false;
		if (r.len > 0 && read_source(&r))
		{
			note_reads(p, r.code);
			p->failed = false;
			*stop = at;
			return &r.code->node;
		}
		if (r.len > 0)
			keep_problem(&kept, &r);
		/* what is an expression, with a name that nobody has, ends here; so does what is over a limit */
		if (!in_braces || r.code != NULL || (r.failed && r.fail_code != WF_ERRCODE_EXPRESSION_INVALID))
			break;
		tried_bytes += r.len;
		at++;
	}
	tell_problem(p, &kept);
	return NULL;
}
