/*
 * code.h: expressions in full JavaScript: what the parser and the evaluator ask for (code.c, code_call.c), and the node they share.
 */
#ifndef WF_EXPR_CODE_H
#define WF_EXPR_CODE_H

#include "expr/parser.h"
#include "sandbox/sandbox.h"

/* What stands before an expression in its sources. */
#define WF_CODE_VALUE_HEAD "return ("
#define WF_CODE_TRUTH_HEAD "return !!(await ("

/* A node of the graph that is read. */
typedef struct WfCodeNodeRead
{
	const char *key;			/* member of $node */
	int			index;
} WfCodeNodeRead;

/* One of the names that a source may read. */
typedef struct WfCodeRootRead
{
	bool		is_read;
	bool		whole;			/* not only `members` */
	int			n_members;
	const char **members;
} WfCodeRootRead;

typedef struct WfCodeNode
{
	WfExprNode	node;
	const char *value_source;	/* what is called for its value */
	const char *truth_source;	/* and for its truthiness */
	WfCodeRootRead roots[WF_CODE_N_NAMES];	/* $node only without a graph */
	int			n_nodes;
	WfCodeNodeRead *nodes;
} WfCodeNode;

/* The roots that the names of code stand for. WF_ROOT_COUNT: a date, which is no root. */
extern const WfRoot wf_expr_code_roots[WF_CODE_N_NAMES];

/*
 * The parser has refused what begins at p->start, and names allow code. The node of it as code, with `p` as if it had been
 * parsed, and *stop, the byte behind it (white space included). NULL: it is no code either; p->message and so on are then the better
 * of both reasons.
 */
extern const WfExprNode *wf_expr_parse_code(WfParser *p, bool in_braces, int *stop);

/* Is it a global of full JavaScript alone? */
extern bool wf_expr_code_has_global(const char *name, uint32 len);

/* The byte of an expression that is at a line and column of a source of it, behind a head of so many bytes. */
extern int	wf_expr_code_byte(const char *expression, int len, int line, int column, int head);

extern void wf_expr_eval_code(WfEval *ev, const WfExprNode *node, WfValue *out);

/* Evaluates such a node to its truthiness. */
extern bool wf_expr_test_code(WfEval *ev, const WfExprNode *node);

#endif
