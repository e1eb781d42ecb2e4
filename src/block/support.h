/*
 * support.h: what several blocks need; private to this room.
 *
 * Reading a config in two moments: when the graph is compiled (wf_block_fixed_*, from node->config,
 * for what the schema marks `x-fixed`) and when the step runs (the rest, from the templates).
 * Functions of the second kind throw 22023 for a value of the wrong type, with the key named.
 */
#ifndef WF_BLOCK_SUPPORT_H
#define WF_BLOCK_SUPPORT_H

#include "block/block.h"

/* JSON as a C string, written as JSON. */
#define WF_JSON(...) #__VA_ARGS__

/* -- when the graph is compiled -- */

/* A member of the node's config; false when it has none. */
extern bool wf_block_fixed(const WfNode *node, const char *key, JsonbValue *out);
/* A string of it as a C string in CurrentMemoryContext; `otherwise` when missing or no string. */
extern const char *wf_block_fixed_string(const WfNode *node, const char *key, const char *otherwise);
/* Is this string of the config equal to `value`? A missing one counts as `otherwise`. */
extern bool wf_block_fixed_is(const WfNode *node, const char *key, const char *otherwise, const char *value);
/* Adds an error (WF002) about a place in the config: `where` is like `cases[0].port`, "" for all of it. */
extern void wf_block_report(const WfNode *node, WfDiagnostics *found, const char *where, const char *hint,
							const char *fmt, ...) pg_attribute_printf(5, 6);

/* Compiles an expression that a block makes of one in its config; only while the block prepares. NULL:
 * refused, and reported at `key`. In CurrentMemoryContext. */
extern WfExpr *wf_block_compile(const char *source, const WfNode *node, const char *key, WfDiagnostics *found);
/* The graph that is being prepared. */
extern const WfGraph *wf_block_graph(void);
/* What the node reads is what such an expression reads, too: to be said while the block prepares. */
extern void wf_block_reads(const WfNode *node, WfExpr *expr);
/* Is it a string that holds a template? */
extern bool wf_block_is_template(const JsonbValue *value);
/* Reports a fixed duration that is none; templates are let pass. The second takes a value and says where it is. */
extern void wf_block_check_duration(const WfNode *node, const char *key, WfDiagnostics *found);
extern void wf_block_check_duration_at(const WfNode *node, const JsonbValue *value, const char *where,
									   WfDiagnostics *found);

/* -- when a step runs -- */

/* A condition: a bare expression, or a constant; JavaScript's truthiness. */
extern bool wf_block_test(const WfTemplate *condition, WfScope *scope);

/* An integer of the config within bounds; `otherwise` when it is missing or null. */
extern int64 wf_block_config_int(WfStep *step, const char *key, int64 otherwise, int64 least, int64 most);
/* A duration of the config in milliseconds; 0 when it is missing or null. */
extern int64 wf_block_config_duration(WfStep *step, const char *key);
/* A value as a duration in milliseconds; `key` is for the error. */
extern int64 wf_block_duration(const JsonbValue *value, const char *key);
/* The instant that is so many milliseconds from now; throws 22008 when PostgreSQL has no such time. */
extern TimestampTz wf_block_until(int64 ms, const char *key);
/* A string of the config in CurrentMemoryContext; NULL when it is missing or null. */
extern char *wf_block_config_string(WfStep *step, const char *key);
/* The same, for one that must be there and have 1 to `most_bytes` bytes. */
extern char *wf_block_config_name(WfStep *step, const char *key, int most_bytes);
/* A value of the config as text: a string as it is, anything else as JSON; NULL when it is missing or null. */
extern char *wf_block_config_text(WfStep *step, const char *key);

/* A list in memory, so that its elements can be reached by index. */
typedef struct WfItems
{
	JsonbValue	whole;			/* the array */
	int			n;
	JsonbValue *values;			/* borrowed from it */
} WfItems;

/* A list of the config; throws 22023 when it is missing or no array. */
extern void wf_block_items(WfStep *step, const char *key, WfItems *out);
/* The elements of an array. */
extern void wf_block_items_of(const JsonbValue *array, WfItems *out);

/* A scope with `$item`, `$index` and `$items` over the step's own; `error` and `input`, when set, stand for
 * `$error` and `$input`. All are borrowed and may be changed between evaluations. */
typedef struct WfItemScope
{
	WfScope		scope;
	WfScope    *outer;
	const JsonbValue *item;
	int64		index;
	const JsonbValue *items;	/* or NULL */
	const JsonbValue *error;	/* or NULL */
	const JsonbValue *input;	/* or NULL */
} WfItemScope;

extern void wf_block_item_scope(WfItemScope *scope, WfStep *step, const JsonbValue *items);

/* The most bytes that an output of this step may take; and a check of what is being gathered against
 * it, which throws WF006. The engine checks outputs too; this one comes before memory is spent. */
extern int64 wf_block_output_limit(const WfStep *step);
extern void wf_block_check_size(const WfStep *step, int64 bytes);

/* Copies a value into CurrentMemoryContext. */
extern void wf_block_keep(const JsonbValue *value, JsonbValue *out);
extern WfError *wf_block_keep_error(const WfError *error);

/* Is this region of the container without nodes? */
extern bool wf_block_region_is_empty(const WfStep *step, int region);
/* What follows when region `region` of the container is to run with this input. */
extern WfOutcome wf_block_enter(int region, const JsonbValue *input);
/* Nothing more to enter for now. */
extern WfOutcome wf_block_blocked(void);
/* Does an edge leave the node at this port? */
extern bool wf_block_port_is_wired(const WfNode *node, int port);

/* The object `{key: value}`. */
extern Jsonb *wf_block_object1(const char *key, const JsonbValue *value);
/* `{items, count}` of values that need to live until it is made. */
extern Jsonb *wf_block_items_output(const JsonbValue *values, int n);

#endif
