/*
 * expr.h: expressions and templates, compiled once and evaluated often.
 *
 * A WfExpr is one JavaScript expression; a WfTemplate is a config value (any JSON) in which strings
 * may hold `{{ expr }}`. Both are immutable once compiled, live in the memory context that was
 * current at compile time, and may be evaluated by many runs. What names stand for comes from the
 * caller twice: WfNames when compiling (which nodes exist), WfScope when evaluating (their values).
 * This room knows nothing of graphs, runs, SQL or transactions.
 *
 * What the interpreter does not know may be allowed to be full JavaScript; it runs in the sandbox (code.c), and is a WfExpr like any other.
 */
#ifndef WF_EXPR_EXPR_H
#define WF_EXPR_EXPR_H

#include "postgres.h"
#include "base/diagnostics.h"
#include "base/json.h"
#include "datatype/timestamp.h"

struct WfCodeCall;				/* sandbox/sandbox.h */
struct WfError;

typedef struct WfExpr WfExpr;
typedef struct WfTemplate WfTemplate;

/* The names that an expression may begin with. `$node` is apart, see WfScope.node. */
typedef enum WfRoot
{
	WF_ROOT_INPUT,
	WF_ROOT_TRIGGER,
	WF_ROOT_VARS,
	WF_ROOT_ENV,
	WF_ROOT_SECRETS,
	WF_ROOT_ITEM,
	WF_ROOT_INDEX,
	WF_ROOT_ITEMS,
	WF_ROOT_ERROR,
	WF_ROOT_RUN,
	WF_ROOT_NODE,			/* all nodes as one object: only for wf_eval, whose scope has no graph */
	WF_ROOT_COUNT
} WfRoot;

/* `$node.<id>.<part>` */
typedef enum WfNodePart
{
	WF_NODE_OUTPUT,
	WF_NODE_ERROR,
	WF_NODE_STATUS,
	WF_NODE_PORT,
	WF_NODE_ALL,			/* `$node.x` by itself: an object of the four */
} WfNodePart;

/* What is known when compiling. */
typedef struct WfNames
{
	/* Index of the node with this id or name; -1 when there is none (an error at compile time, with
	 * the nearest name as hint if `nearest` is set). NULL: no graph; `$node` is then read by name
	 * through WF_ROOT_NODE. */
	int			(*node_index) (const struct WfNames *names, const char *name, int len);
	const char *(*nearest) (const struct WfNames *names, const char *name, int len);
	bool		allow_secrets;	/* `$secrets` may be named */
	/* The same for the strings of a template, by their place (as WfStringKindOf has it); NULL: what allow_secrets says. */
	bool		(*takes_secrets) (const struct WfNames *names, const char *path_pattern);
	const void *secrets_arg;	/* for that */
	bool		allow_code;		/* what the interpreter refuses may be full JavaScript */
	/* With allow_code and node_index: how many nodes there are, and the id of each; NULL: it has none. */
	int			n_nodes;
	const char *(*node_id) (const struct WfNames *names, int index);
	void	   *arg;
} WfNames;

/* What names are worth now. Values are borrowed and must outlive the evaluation. */
typedef struct WfScope
{
	/* False: undefined. */
	bool		(*root) (struct WfScope *scope, WfRoot root, JsonbValue *out);
	bool		(*node) (struct WfScope *scope, int node_index, WfNodePart part, JsonbValue *out);
	/* `$secrets.NAME`: what stands for the value, a string in CurrentMemoryContext. Throws 42501, WF013. NULL: the
	 * scope has no secrets. */
	void		(*secret) (struct WfScope *scope, const char *name, int name_len, JsonbValue *out);
	/* Calls what full JavaScript an expression is, for the account of the run's tenant: as wf_sandbox_call. NULL: for nobody's. */
	Jsonb	   *(*call_code) (struct WfScope *scope, const struct WfCodeCall *call, struct WfError **error);
	TimestampTz now;			/* `$now`: one instant for a segment */
	void	   *arg;
} WfScope;

/* Why a source was refused. */
typedef struct WfExprProblem
{
	int			position;		/* in characters of the whole string, from 0 */
	const char *message;
	const char *hint;			/* or NULL */
	int			sqlstate;		/* WF007; WF009 when it is nested too deeply */
} WfExprProblem;

/* -- expressions -- */

/*
 * Compiles a bare expression (`count === 1`); a source wholly within one `{{ }}` is taken as its
 * inside. Returns NULL and fills `problem` when it is refused; never throws but for memory and
 * cancel, and, with allow_code, 53000 when the sandbox cannot be started. The result is in CurrentMemoryContext.
 */
extern WfExpr *wf_expr_compile(const char *source, int len, const WfNames *names, WfExprProblem *problem);

/*
 * Evaluates. The result is a scalar or a container (jbvBinary), borrowed from the scope or made in
 * CurrentMemoryContext; undefined becomes null. Throws WF008 when the expression fails (with the
 * source and the position), WF009 over a limit. In full JavaScript also 22003 for a number that it cannot hold, and 53000.
 */
extern void wf_expr_eval(const WfExpr *expr, WfScope *scope, JsonbValue *out);

/* Evaluates to JavaScript's truthiness (a condition). Throws as wf_expr_eval. */
extern bool wf_expr_test(const WfExpr *expr, WfScope *scope);

/* Its source text. */
extern const char *wf_expr_source(const WfExpr *expr);

/* -- templates -- */

typedef enum WfTemplateKind
{
	WF_TEMPLATE_CONSTANT,	/* no expression anywhere below */
	WF_TEMPLATE_EXPR,		/* a string that is one `{{ }}` and nothing else: keeps the value's type */
	WF_TEMPLATE_TEXT,		/* parts joined as text */
	WF_TEMPLATE_OBJECT,
	WF_TEMPLATE_ARRAY,
	WF_TEMPLATE_BARE,		/* a field that is an expression by nature; evaluated by its block alone */
} WfTemplateKind;

typedef struct WfTemplateField
{
	const char *key;
	int			key_len;
	const WfTemplate *value;
} WfTemplateField;

typedef struct WfTemplatePart
{
	const char *text;			/* or NULL: then expr */
	int			text_len;
	const WfExpr *expr;
} WfTemplatePart;

struct WfTemplate
{
	WfTemplateKind kind;
	bool		has_bare;		/* a BARE is somewhere below */
	JsonbValue	constant;		/* CONSTANT; points into memory of the template */
	const WfExpr *expr;			/* EXPR, BARE */
	int			n;				/* of the following */
	WfTemplateField *fields;	/* OBJECT, in the definition's order of keys */
	const WfTemplate **items;	/* ARRAY */
	WfTemplatePart *parts;		/* TEXT */
};

/* What a string of a config is. */
typedef enum WfStringKind
{
	WF_STRING_TEMPLATE,		/* it may hold `{{ }}` */
	WF_STRING_BARE,			/* an expression */
	WF_STRING_LITERAL,		/* what it says, braces or not: a program, say */
} WfStringKind;

/*
 * Says what a string is: called for each with its path within the config
 * (`cases[2].when` as the pattern `cases.*.when`). NULL: all are templates.
 */
typedef WfStringKind (*WfStringKindOf) (void *arg, const char *path_pattern);

/*
 * Compiles a config value. What is refused is added to `found` as WF007, with `node`
 * and `path` (path + the place within) and the position in the message; the result is then NULL.
 * The template is in CurrentMemoryContext and keeps its own copy of everything.
 */
extern WfTemplate *wf_template_compile(const JsonbValue *value, const WfNames *names, WfStringKindOf kind_of,
									   void *kind_arg, const char *node, const char *path,
									   WfDiagnostics *found);

/*
 * Evaluates; as wf_expr_eval. BARE fields of an object are left out, BARE elements of an array are
 * null. A CONSTANT costs nothing. Throws WF008, WF009.
 */
extern void wf_template_eval(const WfTemplate *tpl, WfScope *scope, JsonbValue *out);

/* Field of an OBJECT template or of a CONSTANT object; NULL when missing. A field of a CONSTANT is
 * made in CurrentMemoryContext. */
extern const WfTemplate *wf_template_field(const WfTemplate *tpl, const char *key);

/* Calls `visit` for every expression below. */
extern void wf_template_walk(const WfTemplate *tpl, void (*visit) (const WfExpr *expr, void *arg), void *arg);

/* Which nodes an expression reads: calls `visit` with each index (repeats possible). */
extern void wf_expr_nodes(const WfExpr *expr, void (*visit) (int node_index, void *arg), void *arg);

/* Are these nodes all of the graph because it does not say which it reads? */
extern bool wf_expr_reads_any_node(const WfExpr *expr);

/* Which secrets an expression names: calls `visit` with each name (repeats possible). */
extern void wf_expr_secrets(const WfExpr *expr, void (*visit) (const char *name, void *arg), void *arg);

/* The names that an expression begins with: bit 1 << WfRoot for each. */
extern uint32 wf_expr_roots(const WfExpr *expr);

/* JavaScript's truthiness of a JSON value, and the text that templates join. */
extern bool wf_expr_truthy(const JsonbValue *value);

/* The instant that an ISO 8601 date or date-time stands for, as `new Date(text)` reads it: a date alone is UTC's, a
 * date-time without offset is that of the session's TimeZone. A space may stand for the T, and an offset may be of hours
 * alone, as in PostgreSQL's texts. False when it is none, or when there is no such time. Never throws. */
extern bool wf_expr_parse_time(const char *text, TimestampTz *out);

/* A scope over a context object `{"input":..., "node":..., "vars":..., "item":...}` for wf_eval. The
 * context must outlive it. In CurrentMemoryContext. */
extern WfScope *wf_scope_from_context(const Jsonb *context);

#endif
