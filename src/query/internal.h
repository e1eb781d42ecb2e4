/*
 * internal.h: what the files of this room share; nobody else includes it.
 *
 * The life of a statement:
 *	1. wf_query_make keeps the config and walks it once without the catalog (WfBuild.wild), to report
 *	   what is wrong whatever the catalog holds.
 *	2. The first execution walks it again, with the catalog, into a WfText: SQL and a list of
 *	   WfParam, each a template and the type it is bound to. If nothing structural came from an
 *	   expression, the text is kept with the statement, and so is its WfPlan (a saved SPI plan).
 *	   Otherwise the text is made at each execution and the plan comes from a bounded cache by text.
 *	3. Each execution evaluates the templates into Datums, runs the plan into a WfRowSink, which
 *	   turns tuples to JSON as they come, and puts the block's output together.
 *
 * One walk serves all three uses (make, check, execute): a complaint is thrown when executing and
 * added to a list when checking, so that the three cannot disagree.
 */
#ifndef WF_QUERY_INTERNAL_H
#define WF_QUERY_INTERNAL_H

#include "postgres.h"

#include "base/compat.h"
#include "base/error.h"
#include "base/settings.h"
#include "base/text.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/ilist.h"
#include "lib/stringinfo.h"
#include "nodes/bitmapset.h"
#include "nodes/params.h"
#include "query/query.h"
#include "tcop/dest.h"

/* -- types.c: what is known of a type, per backend -- */

typedef enum WfBindKind
{
	WF_BIND_INPUT,				/* through the type's input function */
	WF_BIND_TEXT,
	WF_BIND_BOOL,
	WF_BIND_INT2,
	WF_BIND_INT4,
	WF_BIND_INT8,
	WF_BIND_FLOAT8,
	WF_BIND_NUMERIC,
	WF_BIND_JSONB,
	WF_BIND_JSON,
	WF_BIND_ARRAY,
	WF_BIND_COMPOSITE,
	WF_BIND_DOMAIN,				/* over an array or a composite */
} WfBindKind;

typedef enum WfEmitKind
{
	WF_EMIT_ANY,				/* through to_jsonb */
	WF_EMIT_TEXT,
	WF_EMIT_BOOL,
	WF_EMIT_INT2,
	WF_EMIT_INT4,
	WF_EMIT_INT8,
	WF_EMIT_NUMERIC,
	WF_EMIT_JSONB,
	WF_EMIT_UUID,
	WF_EMIT_DATETIME,
	WF_EMIT_FLOAT,
	WF_EMIT_VOID,
} WfEmitKind;

typedef struct WfQueryType
{
	Oid			oid;			/* hash key */
	bool		valid;			/* unset by an invalidation; refilled by the next look-up */
	uint32		hash;			/* of the syscache entry */
	WfBindKind	bind;
	WfEmitKind	emit;
	int16		length;
	bool		by_value;
	char		align;
	char		category;		/* pg_type.typcategory */
	Oid			base;			/* of a domain; else oid */
	Oid			element;		/* arrays; else 0 */
	Oid			array;			/* its array type, or 0 */
	Oid			io_param;
	FmgrInfo	input;
	bool		has_to_jsonb;
	FmgrInfo	to_jsonb;
	void	   *domain_state;
} WfQueryType;

/* Throws when there is no such type. The result lives as long as the backend. */
extern WfQueryType *wf_query_type(Oid oid);
extern void wf_query_types_init(void);

/* -- params.c: JSON to Datum -- */

/* A value as a Datum of the type, borrowed from the value or in CurrentMemoryContext. JSON null is
 * SQL NULL. Throws what the type's input function throws. */
extern Datum wf_query_bind(WfQueryType *type, int32 typmod, const JsonbValue *value, bool *is_null);
/* An array Datum of `n` values, of element type `element`. */
extern Datum wf_query_bind_list(WfQueryType *element, int n, const Datum *values, const bool *nulls);

/* -- emit.c: Datum to JSON -- */

/* The value as to_jsonb gives it, borrowed from the Datum or in CurrentMemoryContext. */
extern void wf_query_emit(WfQueryType *type, Datum value, JsonbValue *out);

/* -- rows.c: tuples to JSON -- */

typedef struct WfRowColumn
{
	int			attribute;		/* from 0 */
	WfQueryType *type;
} WfRowColumn;

/* How the rows of one plan become JSON objects. */
typedef struct WfRowShape
{
	int			n_attributes;
	Oid		   *types;			/* of all attributes: to see whether the shape still holds */
	char	  **names;
	int			n;				/* members of an object: attributes without repeated names */
	WfRowColumn *columns;		/* in jsonb's order of keys */
	char	   *head;			/* header, entries (those of values unset) and keys of a container */
	int			head_len;
	int			keys_len;
	bool		flagged;		/* the last attribute is a flag and no part of the row */
} WfRowShape;

typedef enum WfSinkMode
{
	WF_SINK_ROWS,
	WF_SINK_FIRST,				/* the first row only */
	WF_SINK_VALUE,				/* the first column of the first row */
	WF_SINK_NONE,
} WfSinkMode;

struct WfPlan;

typedef struct WfRowSink
{
	DestReceiver pub;
	WfSinkMode	mode;
	bool		flagged;		/* see WfRowShape */
	struct WfPlan *plan;		/* keeps the shape for the next execution */
	WfRowShape *shape;
	MemoryContext memory;
	StringInfoData buffer;		/* containers of rows, one after the other, aligned */
	uint32	   *ends;			/* length of each row within the buffer, padding included */
	int			n_rows;			/* kept */
	int			max_rows;
	Size		limit;			/* bytes */
	bool		flag;			/* flagged: that of the last row */
	MemoryContext scratch;		/* of one row, when there are many; else NULL */
	bool		keeps_value;	/* takes the first value besides what the mode says */
	bool		has_value;
	JsonbValue	value;			/* the first column of the first row */
	uint64		processed;		/* rows found or written, as SPI counts them */
	bool		of_trigger;		/* rows that fired a trigger: for the message when there are too many */
} WfRowSink;

extern WfRowShape *wf_query_make_shape(TupleDesc tupdesc, bool flagged);
extern bool wf_query_shape_fits(const WfRowShape *shape, TupleDesc tupdesc, bool flagged);
/* Adds a row to a sink whose shape the caller has set. */
extern void wf_query_sink_add(WfRowSink *sink, TupleTableSlot *slot);

/* In CurrentMemoryContext, where the rows will be. */
extern void wf_query_sink_begin(WfRowSink *sink, WfSinkMode mode);
/* The rows so far as an array, or one of them; null when there is none. Borrowed from the sink. */
extern void wf_query_sink_rows(WfRowSink *sink, JsonbValue *out);
extern void wf_query_sink_row(WfRowSink *sink, int index, JsonbValue *out);

/* -- plan.c: prepared statements -- */

typedef struct WfPlan
{
	MemoryContext memory;
	dlist_node	node;			/* in the list of all plans, for invalidation */
	dlist_node	lru;			/* shared plans only */
	bool		shared;
	bool		stale;			/* something it was made from has changed */
	bool		dead;			/* dropped while in use: the last user frees it */
	int			n_users;		/* executions now going on */
	char	   *sql;
	char	   *search_path;	/* shared plans: in force when it was made */
	int			n_params;
	Oid		   *declared;		/* types asked for; UNKNOWNOID where they were inferred */
	WfQueryType **types;		/* types bound to */
	SPIPlanPtr	plan;
	int			n_relations;
	Oid		   *relations;		/* that a change of makes it stale */
	uint32		function_hash;	/* db.call: syscache hash of the function; else 0 */
	WfRowShape *shape;			/* of the last execution, or NULL */
} WfPlan;

/* Prepares; the plan is kept until wf_query_plan_drop. Throws what PostgreSQL's parser throws; then
 * nothing is kept. `relations` (a list of OIDs) adds to those that the statement itself names. */
extern WfPlan *wf_query_plan_make(const char *sql, int n_params, const Oid *types, List *relations, Oid function);
/* The same out of a bounded cache, by text, search_path and types. Valid until the next call. */
extern WfPlan *wf_query_plan_shared(const char *sql, const char *search_path, int n_params, const Oid *types,
									List *relations, Oid function);
extern void wf_query_plan_drop(WfPlan *plan);
/* Between `plan->n_users++` and the release a plan, and what lives in its memory, stays. */
extern void wf_query_plan_release(WfPlan *plan);
extern void wf_query_plan_run(WfPlan *plan, ParamListInfo params, WfRowSink *sink);
/* Types of the parameters of a statement, inferring those that are UNKNOWNOID. */
extern void wf_query_infer(const char *sql, int n_params, Oid *types);
extern void wf_query_plans_init(void);

/* -- part.c: walking a config -- */

/* A place in a config. */
typedef struct WfConfigPart
{
	const WfTemplate *tpl;
	bool		fixed;			/* stands in the definition, not in data */
	const char *path;			/* when checking; else NULL */
} WfConfigPart;

typedef struct WfConfigField
{
	const char *key;
	WfConfigPart value;
} WfConfigField;

/* -- text.c: building a statement's text -- */

typedef enum WfPick
{
	WF_PICK_VALUE,
	WF_PICK_LOW,				/* the first of two (`between`) */
	WF_PICK_HIGH,
	WF_PICK_LIST,				/* a list as an array (`in`), nulls left out */
	WF_PICK_MEMBERS,			/* an array; a scalar is taken as an array of one */
	WF_PICK_SPAN,				/* a range; an element is taken as the range of it alone */
	WF_PICK_COUNT,				/* limit, offset: a whole number not below 0, or null */
	WF_PICK_FLAG,				/* true or false */
	WF_PICK_RAW_JSON,			/* jsonb in which null is JSON null (comparisons) */
} WfPick;

/* What a value turned out to be, where the text depends on it. */
typedef enum WfNature
{
	WF_NATURE_ANY,				/* anything but null */
	WF_NATURE_NULL,
	WF_NATURE_STRING,
	WF_NATURE_NUMBER,
	WF_NATURE_BOOL,
	WF_NATURE_JSON,				/* container, or a list of unlike elements */
} WfNature;

typedef struct WfParam
{
	const WfTemplate *tpl;
	Oid			type;			/* UNKNOWNOID: inferred */
	WfPick		pick;
	int			choice;			/* the text depends on the value's nature: its number, else -1 */
	uint8		nature;			/* what the text assumes (WfNature) */
	bool		nature_typed;	/* STRING, NUMBER ... matter; else only null or not */
	const char *label;			/* for explain and messages: the column */
} WfParam;

/* A relation in the scope of names. */
typedef struct WfQueryTable
{
	Oid			relid;
	char		kind;			/* pg_class.relkind */
	bool		wild;			/* the catalog was not asked: any column will do */
	const char *alias;
	const char *name;			/* schema.table, quoted */
	const char *display;		/* schema.table */
	const char *relname;
} WfQueryTable;

/* A name that stands for an expression (aggregates in `having` and `orderBy`). */
typedef struct WfNamed
{
	const char *name;
	const char *sql;
} WfNamed;

typedef struct WfBuild
{
	WfStatement *statement;
	WfScope    *scope;			/* NULL when there are no values */
	WfDiagnostics *found;		/* complaints go here; NULL: they are thrown */
	bool		wild;			/* without the catalog */
	bool		note_rows;
	int			part;			/* upsert in two statements: 0 insert, 1 update */
	const uint8 *natures;		/* by choice; NULL: as assumed */
	int			n_natures;

	/* out */
	bool		dynamic;		/* the text depends on values */
	bool		incomplete;		/* ... which are not there: the text is not whole */
	int			n_complaints;
	StringInfoData sql;
	WfParam    *params;
	int			n_params;
	int			max_params;
	int			n_choices;
	List	   *relations;		/* OIDs */
	Oid			function;		/* db.call */
	WfQueryTable *tables;			/* the first is the one that is written */
	int			n_tables;
	int			max_tables;
	WfNamed    *named;
	int			n_named;
	int			n_conditions;	/* of the last where */
	int			where_depth;	/* conditions around the one being added */
	Bitmapset  *pinned;			/* columns of the first table that are equal to one value each */
	WfSinkMode	mode;
	WfSinkMode	format;			/* raw: what is given; otherwise as mode */
	bool		flagged;
	bool		returns;		/* a write returns rows that belong to the output */
	bool		in_two;			/* upsert needs two statements */
	const char *operation;		/* insert, update, delete, or NULL */
} WfBuild;

/* A column, or a path into a jsonb column, or a named expression. */
typedef struct WfColumn
{
	const char *sql;
	const char *label;
	const char *name;			/* last part */
	WfQueryTable *table;			/* NULL for a named expression */
	int			attnum;
	Oid			type;			/* base type; UNKNOWNOID when not known */
	int			n_path;
	const char **path;			/* steps into a jsonb column */
	bool		is_json;		/* json rather than jsonb */
} WfColumn;

/* Complaints. The first is about the shape of the config: WF002 when checking, 22023 when executing;
 * the second about the catalog: a warning when checking. Both return only when checking. */
extern void wf_query_complain(WfBuild *b, const char *path, const char *hint, const char *fmt, ...) pg_attribute_printf(4, 5);
extern void wf_query_complain_name(WfBuild *b, int sqlstate, const char *path, const char *hint, const char *fmt, ...) pg_attribute_printf(5, 6);

extern bool wf_query_part_member(WfBuild *b, WfConfigPart object, const char *key, WfConfigPart *out);
/* Takes what an expression in a structural place gives; false when there is no scope to ask. */
extern bool wf_query_part_resolve(WfBuild *b, WfConfigPart *shape);
extern bool wf_query_part_is_null(const WfConfigPart *shape);
extern bool wf_query_part_is_object(const WfConfigPart *shape);
extern bool wf_query_part_is_array(const WfConfigPart *shape);
extern bool wf_query_part_is_leaf(const WfConfigPart *shape);	/* an expression */
extern WfConfigField *wf_query_part_fields(WfBuild *b, WfConfigPart object, int *n);
extern WfConfigPart *wf_query_part_items(WfBuild *b, WfConfigPart array, int *n);
/* A string that stands in a structural place; NULL after a complaint or when incomplete. */
extern const char *wf_query_part_string(WfBuild *b, WfConfigPart shape, const char *what);
extern bool wf_query_part_bool(WfBuild *b, WfConfigPart shape, const char *what, bool *out);
/* A list of strings; a single string is a list of one. */
extern const char **wf_query_part_strings(WfBuild *b, WfConfigPart shape, const char *what, int *n);
extern bool wf_query_part_config(WfBuild *b, const char *key, WfConfigPart *out);
extern WfTemplate *wf_query_part_constant(const JsonbValue *value);
/* True for `{key: ...}`, `{key: ..., other: ...}` and nothing else; `other` may be NULL. */
extern bool wf_query_part_is_special(WfBuild *b, WfConfigPart shape, const char *key, const char *other, WfConfigPart *value, WfConfigPart *second);

/* Adds `$n` for a value; returns its index. */
extern WfParam *wf_query_param(WfBuild *b, WfConfigPart value, Oid type, WfPick pick, const char *label);
/* What the text should assume of the value at this place; registers the choice. */
extern WfNature wf_query_nature(WfBuild *b, const WfConfigPart *value, bool typed, WfNature assumed, int *choice);
/* Adds a fixed SQL expression, its parameters renumbered, in parentheses. */
extern void wf_query_expr(WfBuild *b, WfConfigPart sql, const WfConfigPart *params, const char *label);
/* `{"$expr": ...}` at this place? Adds it then. */
extern bool wf_query_expr_at(WfBuild *b, WfConfigPart value, const char *label);
/* The nature of a value: STRING, NUMBER, BOOL, JSON or NULL; of a list for `in`, that of its elements. */
extern WfNature wf_query_value_nature(const JsonbValue *value);
extern WfNature wf_query_list_nature(const JsonbValue *list);
/* Parses without throwing for syntax; NULL after a complaint. */
extern List *wf_query_parse(WfBuild *b, const char *sql, bool as_expression, const char *path);

/* -- names.c -- */

extern WfQueryTable *wf_query_table(WfBuild *b, WfConfigPart name, const char *alias);
extern WfQueryTable *wf_query_config_table(WfBuild *b);
/* A column by the name in the config; false after a complaint. */
extern bool wf_query_column(WfBuild *b, const char *name, const char *path, WfColumn *out);
/* A column of this table alone, no path: as the target of a write. */
extern bool wf_query_target(WfBuild *b, WfQueryTable *table, const char *name, const char *path, WfColumn *out);
/* `name` taken apart at its dots; segments in double quotes are taken as they are. NULL when malformed. */
extern List *wf_query_split(const char *name);
/* The relation nearest to a name, among those that it could have meant; as a hint, or NULL. */
extern const char *wf_query_nearest_table(const char *schema, const char *name);
/* All columns of a table that a row has. */
extern List *wf_query_columns(WfQueryTable *table);
/* Do these columns, each equal to one value, leave one row of the table at the most? */
extern bool wf_query_is_unique(WfBuild *b, const WfQueryTable *table, const Bitmapset *pinned);
extern void wf_query_append_table(WfBuild *b, const WfQueryTable *table);

/* -- compare.c -- */

/* Adds `column op operand`; false, and nothing is added, when there is no such operator. */
extern bool wf_query_append_test(WfBuild *b, const char *operator_name, const WfColumn *column, WfConfigPart operand);
/* A hint with the operator meant, or NULL. */
extern const char *wf_query_nearest_operator(const char *name);

/* -- where.c -- */

/* Adds a condition; `on`: strings are columns. Adds TRUE when there is none. */
extern void wf_query_where(WfBuild *b, WfConfigPart where, bool on);
/* ` WHERE ...` from the config, or nothing. */
extern void wf_query_append_where(WfBuild *b, bool required);
/* The SQL text of a column as a value: for a path, the jsonb there. */
extern const char *wf_query_column_json(const WfColumn *column);
/* The same, a path as numeric or boolean (NULL where it is something else). */
extern const char *wf_query_column_as(const WfColumn *column, Oid type);

/* -- select.c: clauses -- */

/* Names given to members of a row so far. */
typedef struct WfOutputs
{
	int			n;
	int			max;
	const char **names;
} WfOutputs;

/* A comma before all but the first; notes the name. */
extern void wf_query_begin_output(WfBuild *b, WfOutputs *outputs, const char *name, const char *path);
extern void wf_query_append_names(WfBuild *b, WfOutputs *outputs, WfConfigPart list, const char *what);
/* Brings `table` and `joins` into scope; returns the joins. */
extern WfConfigPart *wf_query_take_tables(WfBuild *b, int *n_joins);
extern void wf_query_append_from(WfBuild *b, WfConfigPart *joins, int n_joins);
extern void wf_query_append_group_by(WfBuild *b);
extern void wf_query_append_having(WfBuild *b);
extern void wf_query_append_order_by(WfBuild *b);
extern void wf_query_append_limits(WfBuild *b, bool is_unique);

/* -- statements: each writes the text of its kind -- */

extern void wf_query_build_find(WfBuild *b);
extern void wf_query_build_aggregate(WfBuild *b);
extern void wf_query_build_create(WfBuild *b);
extern void wf_query_build_update(WfBuild *b);
extern void wf_query_build_upsert(WfBuild *b);
extern void wf_query_build_delete(WfBuild *b);
extern void wf_query_build_bulk(WfBuild *b);
extern void wf_query_build_raw(WfBuild *b);
extern void wf_query_build_call(WfBuild *b);
extern void wf_query_append_returning(WfBuild *b, WfQueryTable *table, bool by_default);
extern void wf_query_append_value(WfBuild *b, const WfColumn *column, WfConfigPart value, const char *label);
extern void wf_query_append_set(WfBuild *b, WfQueryTable *table, WfConfigPart set);
/* In a dry run: may the rows be asked for although the definition does not? */
extern bool wf_query_may_note(WfBuild *b, const WfQueryTable *table);

/* -- run.c -- */

/* A statement's text in one variant. */
typedef struct WfText
{
	WfPlan	   *plan;				/* kept texts are in its memory */
	char	   *sql;
	int			n_params;
	WfParam    *params;
	int			n_choices;
	uint8	   *natures;		/* assumed, by choice */
	bool		is_default;		/* made without knowing any value */
	int			part;
	bool		note_rows;
	WfSinkMode	mode;			/* how rows are received */
	WfSinkMode	format;			/* how they are given */
	bool		flagged;
	bool		returns;
	bool		in_two;
	const char *table;			/* schema.name, or NULL */
	const char *operation;
} WfText;

#define WF_MAX_VARIANTS 16

struct WfStatement
{
	WfQueryKind kind;
	const WfTemplate *config;
	const char *search_path;
	const char *node;
	const char *path;
	MemoryContext memory;
	bool		by_items;		/* bulk: from items */
	int			n_variants;
	WfText	   *variants[WF_MAX_VARIANTS];	/* the latest first */
	MemoryContextCallback on_reset;
};

/* What a statement that was run says of itself; strings are constants or in CurrentMemoryContext. */
typedef struct WfRan
{
	WfSinkMode	format;
	bool		returns;
	bool		in_two;
	const char *table;
	const char *operation;
} WfRan;

/* Sets a version's search_path (empty: leaves it) until AtEOXact_GUC(true, level). */
extern int	wf_query_push_search_path(const char *search_path);
/* The text in CurrentMemoryContext; with b->scope NULL it may be incomplete. */
extern void wf_query_build(WfBuild *b);
extern void wf_query_build_begin(WfBuild *b, WfStatement *statement);
/* Runs one part of a statement into the sink, which it begins. */
extern void wf_query_run_part(WfStatement *statement, WfScope *scope, int part, bool note_rows, WfRowSink *sink,
							  WfRan *ran);
/* values.c: evaluates and binds all parameters into `params`. False when a value is not of the nature that the
 * text assumes; then `natures`, with room for all choices, says what they are. Throws 22023 for a value
 * of the wrong shape, and what the type's input function throws. */
extern bool wf_query_evaluate(const WfText *text, WfScope *scope, ParamListInfo params, uint8 *natures);
/* output.c: puts the block's output together in CurrentMemoryContext. */
extern void wf_query_result_set(WfQueryKind kind, WfRowSink *sink, const WfRan *ran, bool inserted, bool note_rows,
								WfQueryResult *result);
extern void wf_query_execute_bulk(WfStatement *statement, WfScope *scope, bool note_rows, WfQueryResult *result);

#endif
