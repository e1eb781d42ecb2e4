/*
 * transform.h: the operations of block `transform`; private to its files.
 */
#ifndef WF_BLOCK_TRANSFORM_H
#define WF_BLOCK_TRANSFORM_H

#include "block/block.h"
#include "block/keys.h"
#include "block/support.h"

struct WfTransformPlan;

/* An operation gives the output of the step. Throws 22023 for values of the wrong shape. */
typedef Jsonb *(*WfTransform) (WfStep *step, const struct WfTransformPlan *plan);

typedef struct WfTransformPlan
{
	WfTransform run;
	const WfExpr *expression;	/* with `$item`, `$index`, `$items`; a function of the config is called with
								 * them; or NULL */
	const WfTemplate *fields;	/* or NULL */
	bool		descending;
	const char *join_type;		/* inner, left, right, full */
} WfTransformPlan;

/* Evaluates an expression or a template for one item after another, in memory that is reset. */
typedef struct WfEach
{
	WfItemScope scope;
	MemoryContext memory;
} WfEach;

extern void wf_transform_each_begin(WfEach *each, WfStep *step, const WfItems *items);
/* The value of the expression for item i; copied into CurrentMemoryContext. */
extern void wf_transform_each_eval(WfEach *each, const WfItems *items, int i, const WfExpr *expr, JsonbValue *out);
extern bool wf_transform_each_test(WfEach *each, const WfItems *items, int i, const WfExpr *expr);
extern void wf_transform_each_fill(WfEach *each, const WfItems *items, int i, const WfTemplate *tpl, JsonbValue *out);

/*
 * Builds one object after another as elements of a list. A writer keeps a tree that is several times as
 * large as its JSON; so each object is finished in memory that is reset, and kept as bytes.
 */
typedef struct WfObjects
{
	WfJsonWriter *list;			/* within the array that takes them */
	MemoryContext memory;
	MemoryContext around;		/* current context between begin and end */
	WfJsonWriter *w;			/* within the object at hand */
} WfObjects;

extern void wf_transform_objects_begin(WfObjects *objects, WfJsonWriter *list);
/* Opens an object; its members are written to objects->w until it is ended. */
extern void wf_transform_object_begin(WfObjects *objects);
extern void wf_transform_object_end(WfObjects *objects);

/* Reads the config value `key` as a list of names: a string or an array of strings. 0: missing. */
extern int	wf_transform_names(WfStep *step, const char *key, char ***names);

/* What makes items belong together: one member, several, an expression, or (none of these) all of it. */
typedef struct WfKeySpec
{
	int			n;
	char	  **paths;
	const WfExpr *expression;
} WfKeySpec;

extern void wf_transform_key_spec(WfStep *step, const WfTransformPlan *plan, WfKeySpec *spec);
/* The key of an item, null for a missing member; borrowed or in CurrentMemoryContext. */
extern void wf_transform_key(const WfKeySpec *spec, WfEach *each, const WfItems *items, int i, JsonbValue *out);

extern Jsonb *wf_transform_aggregate(WfStep *step, const WfTransformPlan *plan);
extern Jsonb *wf_transform_compare(WfStep *step, const WfTransformPlan *plan);
extern Jsonb *wf_transform_filter(WfStep *step, const WfTransformPlan *plan);
extern Jsonb *wf_transform_flatten(WfStep *step, const WfTransformPlan *plan);
extern Jsonb *wf_transform_group(WfStep *step, const WfTransformPlan *plan);
extern Jsonb *wf_transform_join(WfStep *step, const WfTransformPlan *plan);
extern Jsonb *wf_transform_limit(WfStep *step, const WfTransformPlan *plan);
extern Jsonb *wf_transform_map(WfStep *step, const WfTransformPlan *plan);
extern Jsonb *wf_transform_pick(WfStep *step, const WfTransformPlan *plan);
extern Jsonb *wf_transform_reduce(WfStep *step, const WfTransformPlan *plan);
extern Jsonb *wf_transform_rename(WfStep *step, const WfTransformPlan *plan);
extern Jsonb *wf_transform_sort(WfStep *step, const WfTransformPlan *plan);
extern Jsonb *wf_transform_split(WfStep *step, const WfTransformPlan *plan);
extern Jsonb *wf_transform_unique(WfStep *step, const WfTransformPlan *plan);
extern Jsonb *wf_transform_zip(WfStep *step, const WfTransformPlan *plan);

#endif
