/*
 * when.h: a condition over a row, in JavaScript, as the WHEN clause of a trigger.
 */
#ifndef WF_QUERY_WHEN_H
#define WF_QUERY_WHEN_H

#include "expr/expr.h"
#include "expr/tree.h"
#include "query/row_trigger.h"

/* The words for an event as `$trigger.op` has them. */
extern const char *wf_query_row_op(WfRowEvent event);
extern bool wf_query_row_has_new(WfRowEvent event);
extern bool wf_query_row_has_old(WfRowEvent event);

/* -- when_value.c, when_class.c: one comparison -- */

/* What is known of a condition: SQL that is true whenever the condition is truthy, and never raises. NULL is as false. */
typedef struct WfWhen
{
	const char *sql;			/* NULL: `constant` */
	bool		constant;
	bool		exact;			/* true only then, too; and the condition does not throw */
} WfWhen;

/* How a column's type becomes JSON, as far as comparisons go. */
typedef enum WfWhenClass
{
	WF_WHEN_INT,				/* int2, int4 */
	WF_WHEN_INT8,
	WF_WHEN_SHORT_NUMERIC,		/* 15 digits at the most: none is lost in a double */
	WF_WHEN_NUMERIC,
	WF_WHEN_FLOAT4,
	WF_WHEN_FLOAT8,
	WF_WHEN_BOOL,
	WF_WHEN_TEXT,
	WF_WHEN_ENUM,
	WF_WHEN_UUID,
	WF_WHEN_DATE,
	WF_WHEN_TIMESTAMP,
	WF_WHEN_TIMESTAMPTZ,
	WF_WHEN_PLAIN,				/* null only when the column is */
	WF_WHEN_UNKNOWN,			/* JSON null, perhaps, when the column is not */
} WfWhenClass;

typedef enum WfWhenOperandKind
{
	WF_WHEN_NOTHING,			/* not to be translated */
	WF_WHEN_CONSTANT,
	WF_WHEN_ROW,				/* an object or an array, whatever is in it */
	WF_WHEN_COLUMN,
} WfWhenOperandKind;

typedef struct WfWhenOperand
{
	WfWhenOperandKind kind;
	WfTreeValue value;			/* CONSTANT */
	WfWhenClass class;			/* COLUMN */
	Oid			type;			/* COLUMN: base type */
	bool		is_composite;
	const char *sql;			/* COLUMN */
} WfWhenOperand;

extern WfWhen wf_query_when_constant(bool value, bool exact);
extern WfWhen wf_query_when_sql(bool exact, const char *fmt, ...) pg_attribute_printf(2, 3);
extern WfWhen wf_query_when_truth(const WfWhenOperand *operand);
extern WfWhen wf_query_when_compare(const WfExpr *expr, WfTreeOp op, const WfWhenOperand *left, const WfWhenOperand *right);
/* A column of text or of an enum among strings; false when it is something else. */
extern bool wf_query_when_among(const WfWhenOperand *column, int n, const WfWhenOperand *items, WfWhen *out);
extern WfWhenClass wf_query_when_class(Oid type, int32 typmod, Oid *base, bool *is_composite);

/* when_time.c: may the text be written as a constant of the type (date, timestamp, timestamptz), such that what its JSON
 * text is equal to is the constant? */
extern bool wf_query_when_is_time(Oid type, const char *text);

/* -- when.c -- */

/*
 * The condition for one event of a table. It is evaluated without a look at any row; what cannot be translated is
 * left out, so that `sql` is NULL with `constant` true when nothing is known. In CurrentMemoryContext. Never throws but for
 * memory and the catalog.
 */
extern void wf_query_when(const WfExpr *expr, Oid relid, WfRowEvent event, bool by_statement, WfWhen *out);
/* What a node stands for as an operand. */
typedef struct WfWhenTable
{
	Oid			relid;
	WfRowEvent	event;
	bool		by_statement;
	const WfExpr *expr;
	bool		folding;		/* columns are not looked at: no SQL is made */
} WfWhenTable;
extern void wf_query_when_operand(const WfWhenTable *table, const WfExprNode *node, WfWhenOperand *out);
/* Is the condition known, whatever the row? It costs what looking at each node once costs. */
extern bool wf_query_when_folds(const WfWhenTable *table, const WfExprNode *node, bool *value);

#endif
