/*
 * tree.h: a compiled expression as a tree to look at, for who translates it into something else.
 *
 * A node is opaque; wf_expr_tree_look says what it is. Only what is worth translating has a kind of its own, the rest
 * is WF_TREE_OTHER, whose parts wf_expr_tree_parts visits. Nothing here evaluates but wf_expr_tree_compare, on constants.
 */
#ifndef WF_EXPR_TREE_H
#define WF_EXPR_TREE_H

#include "expr/expr.h"

typedef struct WfExprNode WfExprNode;

typedef enum WfTreeKind
{
	WF_TREE_OTHER,
	WF_TREE_CONSTANT,
	WF_TREE_PATH,				/* a root and its steps */
	WF_TREE_NOT,				/* part[0] */
	WF_TREE_AND,				/* part[0] && part[1] */
	WF_TREE_OR,
	WF_TREE_COALESCE,
	WF_TREE_IF,					/* part[0] ? part[1] : part[2] */
	WF_TREE_COMPARE,			/* part[0] op part[1] */
	WF_TREE_INCLUDES,			/* a literal array, without spreads and holes, .includes(part[0]) */
} WfTreeKind;

typedef enum WfTreeOp
{
	WF_TREE_SAME,				/* === */
	WF_TREE_NOT_SAME,
	WF_TREE_EQUAL,				/* == */
	WF_TREE_NOT_EQUAL,
	WF_TREE_LESS,
	WF_TREE_LESS_EQUAL,
	WF_TREE_GREATER,
	WF_TREE_GREATER_EQUAL,
} WfTreeOp;

typedef enum WfTreeValueKind
{
	WF_TREE_UNDEFINED,
	WF_TREE_NULL,
	WF_TREE_BOOL,
	WF_TREE_NUMBER,
	WF_TREE_STRING,
	WF_TREE_ANY,				/* something else: a BigInt, a function */
} WfTreeValueKind;

typedef struct WfTreeValue
{
	WfTreeValueKind kind;
	bool		boolean;
	double		number;
	const char *string;			/* not ended by a zero byte */
	uint32		len;
} WfTreeValue;

typedef struct WfTreeStep
{
	const char *key;			/* NULL: index; not ended by a zero byte */
	uint32		len;
	uint32		index;
	bool		optional;		/* `?.` stands before it */
} WfTreeStep;

typedef struct WfTree
{
	WfTreeKind	kind;
	WfTreeOp	op;				/* COMPARE */
	WfTreeValue value;			/* CONSTANT */
	WfRoot		root;			/* PATH; WF_ROOT_COUNT: a node of the graph */
	int			n_steps;		/* PATH */
	int			n_items;		/* INCLUDES */
	const WfExprNode *node;
	const WfExprNode *part[3];
} WfTree;

extern const WfExprNode *wf_expr_tree_root(const WfExpr *expr);
extern void wf_expr_tree_look(const WfExprNode *node, WfTree *out);
/* Step `i` of a PATH; element `i` of an INCLUDES. */
extern void wf_expr_tree_step(const WfTree *path, int i, WfTreeStep *out);
extern const WfExprNode *wf_expr_tree_item(const WfTree *includes, int i);
/* Visits the nodes right below, of any kind, in the order in which they may be evaluated. */
extern void wf_expr_tree_parts(const WfExprNode *node, void (*visit) (const WfExprNode *part, void *arg), void *arg);
/* The position of a node, in characters of the string that the expression was compiled from. */
extern int	wf_expr_tree_position(const WfExpr *expr, const WfExprNode *node);

/* What JavaScript's operator gives for constants, neither of them WF_TREE_ANY; and the truthiness of one. */
extern bool wf_expr_tree_compare(const WfExpr *expr, WfTreeOp op, const WfTreeValue *left, const WfTreeValue *right);
extern bool wf_expr_tree_truthy(const WfTreeValue *value);

#endif
