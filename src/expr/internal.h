/*
 * internal.h: what the files of expr/ share: values, the evaluator, compiled nodes.
 *
 * A source is lexed (lex.c) and parsed (parse*.c) into a tree of WfExprNode, each of which carries
 * the function that evaluates it. A WfEval is one evaluation: it lives on the C stack with the first
 * chunk of its arena, so that a plain path allocates nothing. Values (WfValue) are 16 bytes and are
 * passed by pointer; what they point at is in the arena, in the scope (borrowed) or in the compiled
 * expression.
 *
 * Strings are UTF-8 with lone surrogates encoded as three bytes (WTF-8, always in canonical form: a
 * pair is four bytes); lengths and indexes seen by the user are UTF-16 units.
 *
 * Everything that runs may throw: WF008 through wf_expr_throw, WF009 through wf_expr_over. Nothing
 * needs cleaning up after a throw: the arena's chunks beyond the first belong to the memory context
 * that was current.
 */
#ifndef WF_EXPR_INTERNAL_H
#define WF_EXPR_INTERNAL_H

#include "postgres.h"

#include "base/compat.h"
#include "base/json.h"
#include "base/regex.h"
#include "expr/expr.h"
#include "pgtime.h"
#include "utils/numeric.h"

/* -- values -- */

typedef enum WfTag
{
	WF_V_UNDEFINED,
	WF_V_HOLE,				/* in arrays only: an element that was never set */
	WF_V_NULL,
	WF_V_BOOL,
	WF_V_NUMBER,
	WF_V_NUMERIC,			/* a number of the context, untouched: keeps every digit */
	WF_V_STRING,
	WF_V_BIGINT,
	/* from here on objects, in JavaScript's sense */
	WF_V_JSON_ARRAY,		/* borrowed containers */
	WF_V_JSON_OBJECT,
	WF_V_ARRAY,
	WF_V_OBJECT,
	WF_V_CLOSURE,
	WF_V_BUILTIN,
	WF_V_DATE,
	WF_V_DATETIME,
	WF_V_DURATION,
	WF_V_REGEXP,
	WF_V_SET,
	WF_V_MAP,
	WF_V_NAMESPACE,			/* Math, JSON: only as the left side of a dot */
	WF_V_FREE,				/* no value: a place behind the elements of a shared array */
} WfTag;

/* flags of a string */
#define WF_S_ASCII		0x01	/* known to be ASCII: units = bytes */
#define WF_S_WIDE		0x02	/* known not to be */
#define WF_S_BORROWED	0x04	/* outlives the evaluation */
#define WF_S_GROW		0x08	/* in a WfGrowable, may be appended to in place */

/* flag of a BUILTIN: a method read as a value, to be called on any receiver */
#define WF_F_METHOD		0x01

typedef struct WfArray WfArray;
typedef struct WfObject WfObject;
typedef struct WfClosure WfClosure;
typedef struct WfBuiltin WfBuiltin;
typedef struct WfMoment WfMoment;
typedef struct WfDuration WfDuration;
typedef struct WfRegExp WfRegExp;
typedef struct WfMap WfMap;
typedef struct WfBigInt WfBigInt;
typedef struct WfEval WfEval;
typedef struct WfExprNode WfExprNode;

typedef struct WfValue
{
	uint8		tag;
	uint8		flags;
	uint32		len;			/* bytes of a string or of a borrowed container */
	union
	{
		bool		boolean;
		double		number;
		double	   *ms;			/* DATE: milliseconds since 1970, NaN when invalid */
		Numeric		numeric;
		const char *str;
		const WfBigInt *bigint;
		JsonbContainer *json;
		WfArray    *array;
		WfObject   *object;
		WfClosure  *closure;
		const WfBuiltin *builtin;
		WfMoment   *moment;
		WfDuration *duration;
		WfRegExp   *regexp;
		WfMap	   *map;
		const struct WfNamespace *space;
	}			u;
} WfValue;

#define WF_IS_OBJECT(v)		((v)->tag >= WF_V_JSON_ARRAY)
#define WF_IS_NULLISH(v)	((v)->tag <= WF_V_NULL)
#define WF_IS_STRING(v)		((v)->tag == WF_V_STRING)
#define WF_IS_NUMBER(v)		((v)->tag == WF_V_NUMBER || (v)->tag == WF_V_NUMERIC)
#define WF_IS_FUNCTION(v)	((v)->tag == WF_V_CLOSURE || (v)->tag == WF_V_BUILTIN)

/*
 * `[...a, x]`, done again and again with its own result, must not copy each time. The first result is
 * SPREAD: it remembers how it was made. When it is spread in turn, the new array gets room behind its
 * elements and is SHARED: further ones use the same place, as long as each is made of the newest. A place
 * that is marked FREE is taken by whoever comes first; who finds it taken moves away, and so does who
 * changes elements. Neither kind has holes.
 */
typedef enum WfSharing
{
	WF_A_OWN,
	WF_A_SPREAD,
	WF_A_SHARED,
} WfSharing;

struct WfArray
{
	WfValue    *items;
	uint32		count;
	uint32		capacity;
	bool		iterator;		/* stands for an iterator: can be spread, is no array */
	uint8		sharing;		/* WfSharing */
	WfObject   *extra;			/* named properties (match: index, input, groups), or NULL */
};

typedef struct WfEntry
{
	const char *key;
	uint32		len;
	uint32		hash;
	WfValue		value;
} WfEntry;

/* members.c says how an object hands its members on to one that it is spread into. */
struct WfObject
{
	WfEntry    *entries;		/* in order of insertion, but see has_index */
	uint32		count;
	uint32		capacity;
	uint32	   *slots;			/* open addressing, entry number + 1; NULL while small */
	uint32		n_slots;		/* a power of two */
	bool		has_index;		/* integer-like keys came since the last ordering */
	bool		keeps;			/* its members were asked for after they were handed on */
	uint32		n_undo;
	WfObject   *newer;			/* who has the members now; NULL: they are here */
	WfObject   *older;			/* whose members these are, too, with `undo` */
	struct WfUndo *undo;		/* what `newer` changed since, the last change first */
};

typedef struct WfMapEntry
{
	WfValue		key;			/* HOLE: deleted */
	WfValue		value;
	uint32		hash;
} WfMapEntry;

/* a Set or a Map */
struct WfMap
{
	WfMapEntry *entries;
	uint32		used;			/* entries, deleted ones included */
	uint32		count;
	uint32		capacity;
	uint32	   *slots;
	uint32		n_slots;
};

struct WfBigInt					/* bigint.c */
{
	uint32		n;				/* limbs; 0: zero */
	bool		negative;
	uint32		limbs[FLEXIBLE_ARRAY_MEMBER];	/* the least first; the last is not 0 */
};

struct WfMoment					/* a date-time */
{
	int64		time;			/* ms since 1970; when valid */
	pg_tz	   *zone;
	bool		valid;
};

struct WfDuration
{
	double		years;
	double		months;
	double		days;
	double		ms;
};

struct WfRegExp
{
	const WfRegex *regex;
	const char *source;
	uint32		source_len;
	const char *flags;
	bool		global;
	bool		sticky;
	bool		unicode;
	bool		indices;
	int64		last_index;		/* UTF-16 units */
};

typedef void (*WfNative) (WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out);

struct WfBuiltin
{
	const char *name;
	WfNative	fn;
	int			length;			/* JavaScript's `length` of the function */
	bool		helper;			/* not JavaScript's: reachable by a call only, never by a read */
};

typedef struct WfNamespace
{
	const char *name;
	const WfBuiltin *functions;	/* ended by a NULL name */
	const struct WfNamedNumber *numbers;
	WfNative	call;			/* `Name(...)`, or NULL */
	WfNative	construct;		/* `new Name(...)`, or NULL */
	int			length;
} WfNamespace;

typedef struct WfNamedNumber
{
	const char *name;
	double		value;
} WfNamedNumber;

/* Argument i, undefined when not given. */
extern const WfValue wf_expr_undefined;
#define ARG(i)	((i) < argc ? (const WfValue *) &argv[i] : &wf_expr_undefined)
#define HAS(i)	((i) < argc && argv[i].tag != WF_V_UNDEFINED)

static inline void
set_undefined(WfValue *out)
{
	out->tag = WF_V_UNDEFINED;
}

static inline void
set_null(WfValue *out)
{
	out->tag = WF_V_NULL;
}

static inline void
set_bool(WfValue *out, bool value)
{
	out->tag = WF_V_BOOL;
	out->u.boolean = value;
}

static inline void
set_number(WfValue *out, double value)
{
	out->tag = WF_V_NUMBER;
	out->u.number = value;
}

/* Borrows the text. */
static inline void
set_string(WfValue *out, const char *str, uint32 len, uint8 flags)
{
	out->tag = WF_V_STRING;
	out->flags = flags;
	out->len = len;
	out->u.str = str;
}

#define set_literal(out, text) set_string((out), (text), sizeof(text) - 1, WF_S_ASCII)

static inline void
set_array(WfValue *out, WfArray *array)
{
	out->tag = WF_V_ARRAY;
	out->u.array = array;
}

static inline void
set_object(WfValue *out, WfObject *object)
{
	out->tag = WF_V_OBJECT;
	out->u.object = object;
}

static inline void
json_of(const WfValue *value, JsonbValue *out)
{
	out->type = jbvBinary;
	out->val.binary.data = value->u.json;
	out->val.binary.len = value->len;
}

static inline bool
is_array(const WfValue *value)
{
	return value->tag == WF_V_JSON_ARRAY || (value->tag == WF_V_ARRAY && !value->u.array->iterator);
}

static inline bool
is_plain_object(const WfValue *value)
{
	return value->tag == WF_V_JSON_OBJECT || value->tag == WF_V_OBJECT;
}

/* -- the evaluator -- */

#define WF_EXPR_FIRST_CHUNK	2048
#define WF_EXPR_FUEL		2000	/* operations between two looks at the clock and at interrupts */
#define WF_EXPR_MAX_DEPTH	1000	/* nested nodes of a source */
#define WF_EXPR_MAX_CALLS	10000	/* nested calls */

typedef struct WfEnv
{
	struct WfEnv *parent;
	WfValue    *slots;
} WfEnv;

typedef struct WfChunk
{
	struct WfChunk *next;
	Size		size;
} WfChunk;

struct WfEval
{
	char	   *free;			/* arena */
	char	   *end;
	WfChunk    *chunks;			/* palloc'ed ones, newest first */
	Size		used;			/* bytes in chunks */
	Size		output;			/* bytes of the result so far */
	const WfExpr *expr;
	WfScope    *scope;
	WfEnv	   *env;
	int			pos;			/* byte position in the source of what is being done, for errors */
	int			fuel;
	int			calls;
	bool		chain_broken;	/* an optional chain met null or undefined */
	TimestampTz deadline;		/* 0: the clock was not read yet */
	/* where a position in the last non-ASCII string was found */
	const char *cursor_str;
	uint32		cursor_len;
	uint32		cursor_unit;
	uint32		cursor_byte;
	const char *units_str;		/* the last string whose units were counted */
	uint32		units_len;
	uint32		units;
	char		first[WF_EXPR_FIRST_CHUNK] pg_attribute_aligned(MAXIMUM_ALIGNOF);
};

/* limits.c */
extern void wf_expr_begin(WfEval *ev, const WfExpr *expr, WfScope *scope);
extern void wf_expr_end(WfEval *ev);
extern void *wf_expr_alloc_chunk(WfEval *ev, Size size);
extern void wf_expr_put_out(WfEval *ev, Size bytes);
extern void wf_expr_refuel(WfEval *ev);
extern void wf_expr_check_size(WfEval *ev, double bytes);
pg_noreturn extern void wf_expr_raise(WfEval *ev, int sqlstate, const char *message, const char *hint);
pg_noreturn extern void wf_expr_throw(WfEval *ev, const char *fmt, ...) pg_attribute_printf(2, 3);
pg_noreturn extern void wf_expr_throw_hint(WfEval *ev, const char *hint, const char *fmt, ...) pg_attribute_printf(3, 4);
pg_noreturn extern void wf_expr_over(WfEval *ev, const char *fmt, ...) pg_attribute_printf(2, 3);
extern void wf_expr_check_stack(WfEval *ev);

/* From the arena; never NULL; throws WF009 over the limit of memory. */
static inline void *
wf_expr_alloc(WfEval *ev, Size size)
{
	size = MAXALIGN(size);
	if (likely(size <= (Size) (ev->end - ev->free)))
	{
		void	   *p = ev->free;

		ev->free += size;
		return p;
	}
	return wf_expr_alloc_chunk(ev, size);
}

/* Accounts for n operations; looks at clock and interrupts now and then. */
static inline void
wf_expr_spend(WfEval *ev, int64 n)
{
	if (n >= ev->fuel)
		wf_expr_refuel(ev);
	else
		ev->fuel -= (int) n;
}

/* -- compiled form -- */

typedef void (*WfNodeEval) (WfEval *ev, const WfExprNode *node, WfValue *out);

typedef enum WfNodeKind
{
	WF_N_OTHER,
	WF_N_CONST,
	WF_N_PATH,
	WF_N_MEMBER,
	WF_N_INDEX,
	WF_N_CALL,
	WF_N_METHOD,
	WF_N_SPREAD,
	WF_N_HOLE,
	WF_N_NAMESPACE,
	WF_N_CHAIN,
	WF_N_BINARY_LOGICAL,		/* && or ||, not in parentheses */
	WF_N_COALESCE,				/* ??, not in parentheses */
	WF_N_UNARY,					/* not in parentheses: no left side of ** */
} WfNodeKind;

#define WF_NF_OPTIONAL	0x01	/* `?.` stands before it */
#define WF_NF_CHAIN		0x02	/* within an optional chain */
#define WF_NF_SPREAD	0x04	/* a list that has spread elements */
#define WF_NF_PARENS	0x08

struct WfExprNode
{
	WfNodeEval	eval;
	int32		pos;			/* bytes from the start of the expression's source */
	uint16		depth;			/* of the tree below */
	uint8		kind;
	uint8		flags;
	const WfExprNode *a;
	const WfExprNode *b;
	const WfExprNode *c;
};

typedef struct WfConstNode
{
	WfExprNode	node;
	WfValue		value;
} WfConstNode;

typedef struct WfPathStep
{
	const char *key;			/* NULL: index */
	uint32		len;			/* of the key */
	uint32		index;
	int32		pos;
	bool		optional;
} WfPathStep;

typedef struct WfPathNode
{
	WfExprNode	node;
	WfRoot		root;			/* WF_ROOT_COUNT: a node of the graph */
	int			node_index;
	WfNodePart	part;
	const char *name;			/* as in the source, for errors */
	int			n;
	int			capacity;
	WfPathStep *steps;
} WfPathNode;

typedef struct WfLocalNode
{
	WfExprNode	node;
	int			up;				/* environments outwards */
	int			slot;
} WfLocalNode;

#define WF_N_CLASSES 14

/* The builtins that a method name stands for, by class of the receiver. */
typedef struct WfMethodRef
{
	const WfBuiltin *of[WF_N_CLASSES];
} WfMethodRef;

typedef struct WfMemberNode
{
	WfExprNode	node;			/* a: the object; b: a computed key, or NULL */
	const char *key;
	uint32		len;
} WfMemberNode;

typedef struct WfCallNode
{
	WfExprNode	node;			/* a: callee, or the receiver of a method; b: computed name */
	const char *key;			/* METHOD: its name, or NULL when computed */
	uint32		len;
	WfMethodRef ref;
	bool		optional_call;	/* `a.b?.()` */
	const WfNamespace *space;	/* `new`: what is made */
	int			n;
	const WfExprNode **args;
} WfCallNode;

typedef struct WfListNode
{
	WfExprNode	node;
	int			n;
	const WfExprNode **items;
} WfListNode;

typedef struct WfProperty
{
	const char *key;			/* NULL: computed, or a spread */
	uint32		len;
	const WfExprNode *computed;
	const WfExprNode *value;
	bool		spread;
} WfProperty;

typedef struct WfObjectNode
{
	WfExprNode	node;
	int			n;
	WfProperty *properties;
} WfObjectNode;

typedef enum WfPatternKind
{
	WF_P_NAME,
	WF_P_OBJECT,
	WF_P_ARRAY,
	WF_P_HOLE,
} WfPatternKind;

typedef struct WfPattern
{
	WfPatternKind kind;
	bool		rest;
	int			slot;			/* NAME */
	const WfExprNode *fallback;	/* default value, or NULL */
	const char *key;			/* as a property of an object pattern */
	uint32		len;
	const WfExprNode *computed;
	int			n;
	struct WfPattern *parts;
} WfPattern;

typedef struct WfArrowNode
{
	WfExprNode	node;
	int			n_params;
	int			length;			/* parameters before the first default or rest */
	WfPattern  *params;
	bool		simple;			/* names only, no defaults, no rest */
	bool		captured;		/* its variables may outlive the call */
	int			n_slots;
	const WfExprNode *body;
	int			end;			/* byte position after it, for its text */
} WfArrowNode;

typedef struct WfRegExpNode
{
	WfExprNode	node;
	WfRegExp	regexp;
} WfRegExpNode;

struct WfClosure
{
	const WfArrowNode *arrow;
	WfEnv	   *env;
};

struct WfExpr
{
	const WfExprNode *root;
	const char *source;
	int			len;
	int			offset;			/* characters of the whole string before the source */
	int			n_nodes;		/* graph nodes it reads */
	int		   *nodes;
	List	   *secrets;		/* char *: names of secrets that it reads */
	uint32		roots;			/* bits: what it reads, as WfRoot */
	bool		any_node;		/* nodes: all of the graph, as it does not say which */
};

/* -- evaluating nodes -- */

extern const char *wf_expr_sort_flags(const char *flags);
extern bool wf_expr_is_index_key(const char *key, uint32 len, uint32 *index);
extern void wf_expr_eval_const(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_path(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_secret(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_local(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_now(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_today(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_member(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_index(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_chain(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_call(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_method(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_new(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_if(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_array(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_object(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_arrow(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_template(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_tagged(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_sequence(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_regexp(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_ternary(WfEval *ev, const WfExprNode *node, WfValue *out);
extern WfNodeEval wf_expr_binary_eval(uint32 punct);
extern WfNodeEval wf_expr_unary_eval(uint32 punct);
extern void wf_expr_eval_in(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_instanceof(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_typeof(WfEval *ev, const WfExprNode *node, WfValue *out);
extern void wf_expr_eval_void(WfEval *ev, const WfExprNode *node, WfValue *out);

/* Calls a function value. Throws WF008 when it is none. */
extern void wf_expr_call(WfEval *ev, const WfValue *fn, const WfValue *self, int argc, WfValue *argv, WfValue *out);

/* -- values: conversions (value.c) -- */

extern void wf_expr_from_json(const JsonbValue *json, WfValue *out);
extern bool wf_expr_to_bool(const WfValue *value);
extern double wf_expr_to_number(WfEval *ev, const WfValue *value);
extern double wf_expr_to_integer(WfEval *ev, const WfValue *value);
extern int32 wf_expr_to_int32(WfEval *ev, const WfValue *value);
extern void wf_expr_to_string(WfEval *ev, const WfValue *value, WfValue *out);
extern void wf_expr_to_primitive(WfEval *ev, const WfValue *value, char hint, WfValue *out);
extern void wf_expr_to_key(WfEval *ev, const WfValue *value, WfValue *out);
extern const char *wf_expr_typeof(const WfValue *value);
extern const char *wf_expr_kind_name(const WfValue *value);
extern bool wf_expr_strict_equal(WfEval *ev, const WfValue *a, const WfValue *b);
extern bool wf_expr_loose_equal(WfEval *ev, const WfValue *a, const WfValue *b);
extern bool wf_expr_same_zero(WfEval *ev, const WfValue *a, const WfValue *b);
extern bool wf_expr_less(WfEval *ev, const WfValue *a, const WfValue *b, bool left_first, bool *undefined);
extern double wf_expr_relative(WfEval *ev, const WfValue *value, double length, double fallback);
extern const WfValue *wf_expr_callback(WfEval *ev, const WfValue *value);

/* -- numbers (number.c) -- */

extern double wf_expr_numeric_double(Numeric numeric);
extern int wf_expr_format_number(double value, char *buf);	/* buf: 32 bytes */
extern bool wf_expr_numeric_text(WfEval *ev, Numeric numeric, WfValue *out);
extern double wf_expr_parse_number(const char *str, uint32 len);
extern double wf_expr_parse_prefix(const char *str, uint32 len, uint32 *used);
extern double wf_expr_parse_radix(const char *str, uint32 len, int radix);
extern Numeric wf_expr_make_numeric(double value);
extern void wf_expr_format_fixed(WfEval *ev, double value, int digits, WfValue *out);
extern void wf_expr_format_radix(WfEval *ev, double value, int radix, WfValue *out);
extern void wf_expr_format_locale(WfEval *ev, double value, const WfValue *locale, const WfValue *options, WfValue *out);

/* -- BigInt (bigint.c) -- */

#define WF_UNORDERED 2

extern const WfBigInt *wf_expr_bigint_digits(WfEval *ev, const char *digits, uint32 len, int radix);
extern double wf_expr_bigint_double(const WfBigInt *big);
extern void wf_expr_bigint_text(WfEval *ev, const WfBigInt *big, int radix, WfValue *out);
extern bool wf_expr_bigint_equal(WfEval *ev, const WfBigInt *a, const WfBigInt *b);
extern uint32 wf_expr_bigint_hash(const WfBigInt *big);
extern int	wf_expr_bigint_compare(WfEval *ev, const WfValue *a, const WfValue *b);
extern void wf_expr_bigint_binary(WfEval *ev, char op, const WfValue *a, const WfValue *b, WfValue *out);
extern void wf_expr_bigint_unary(WfEval *ev, char op, const WfBigInt *big, WfValue *out);

/* -- strings (text.c) -- */

typedef struct WfPlace			/* of a UTF-16 unit */
{
	uint32		byte;
	bool		half;			/* it is the second of a pair, whose character begins at byte */
} WfPlace;

typedef struct WfBuffer
{
	WfEval	   *ev;
	char	   *data;
	Size		len;
	Size		capacity;
} WfBuffer;

extern uint32 wf_expr_units(WfEval *ev, const WfValue *string);
extern WfPlace wf_expr_place(WfEval *ev, const WfValue *string, uint32 unit);
extern uint32 wf_expr_unit_of(WfEval *ev, const WfValue *string, uint32 byte);
extern int wf_expr_unit_at(WfEval *ev, const WfValue *string, uint32 unit);	/* -1 beyond the end */
extern int32 wf_expr_decode(const char *s, const char *end, int *size);
extern int wf_expr_encode(uint32 code, char *out);
extern void wf_expr_substring(WfEval *ev, const WfValue *string, uint32 from, uint32 to, WfValue *out);
extern void wf_expr_slice_bytes(const WfValue *string, uint32 from, uint32 to, WfValue *out);
extern void wf_expr_concat(WfEval *ev, const WfValue *a, const WfValue *b, WfValue *out);
extern int wf_expr_compare_strings(const WfValue *a, const WfValue *b);
extern int64 wf_expr_find(WfEval *ev, const WfValue *string, const WfValue *what, uint32 from_byte);
extern int64 wf_expr_find_last(WfEval *ev, const WfValue *string, const WfValue *what, uint32 from_byte);
extern bool wf_expr_is_space(int32 code);
extern void wf_expr_trim(const WfValue *string, bool start, bool end, WfValue *out);
extern void wf_expr_new_string(WfEval *ev, const char *str, uint32 len, uint8 flags, WfValue *out);	/* copies */
extern void wf_expr_format(WfEval *ev, WfValue *out, const char *fmt, ...) pg_attribute_printf(3, 4);
extern char *wf_expr_cstring(WfEval *ev, const WfValue *string);
extern bool wf_expr_string_is(const WfValue *string, const char *text);

extern void wf_expr_buffer_begin(WfBuffer *buffer, WfEval *ev);
extern void wf_expr_buffer_grow(WfBuffer *buffer, Size more);
extern void wf_expr_buffer_string(WfBuffer *buffer, const WfValue *string);
extern void wf_expr_buffer_code(WfBuffer *buffer, uint32 code);
extern void wf_expr_buffer_end(WfBuffer *buffer, WfValue *out);

static inline void
buffer_bytes(WfBuffer *buffer, const char *bytes, Size len)
{
	if (unlikely(len > buffer->capacity - buffer->len))
		wf_expr_buffer_grow(buffer, len);
	if (len == 0)
		return;					/* there may be no data yet */
	memcpy(buffer->data + buffer->len, bytes, len);
	buffer->len += len;
}

static inline void
buffer_char(WfBuffer *buffer, char c)
{
	buffer_bytes(buffer, &c, 1);
}

/* -- objects, arrays, sets and maps (object.c) -- */

extern void *wf_expr_regrow(WfEval *ev, void *old, Size old_size, Size size);
extern WfArray *wf_expr_new_array(WfEval *ev, uint32 capacity);
extern WfValue *wf_expr_array_add(WfEval *ev, WfArray *array);	/* a new last element, to be filled */
extern void wf_expr_array_reserve(WfEval *ev, WfArray *array, Size more);
extern void wf_expr_array_resize(WfEval *ev, WfArray *array, double count);
extern WfArray *wf_expr_array_extend(WfEval *ev, const WfArray *from, Size more);
extern uint32 wf_expr_array_count(const WfValue *array);
extern void wf_expr_array_at(const WfValue *array, uint32 index, WfValue *out);
extern WfArray *wf_expr_own_array(WfEval *ev, const WfValue *array);	/* itself, or a copy of a borrowed one */
extern WfArray *wf_expr_copy_array(WfEval *ev, const WfValue *array);

/* members.c */
extern WfObject *wf_expr_new_object(WfEval *ev, uint32 capacity);
extern void wf_expr_object_spread(WfEval *ev, WfObject *object, WfObject *from, Size more);
extern void wf_expr_object_own(WfEval *ev, WfObject *object);
extern void wf_expr_object_order(WfEval *ev, WfObject *object);
extern bool wf_expr_object_get(WfEval *ev, WfObject *object, const char *key, uint32 len, WfValue *out);
extern void wf_expr_object_put(WfEval *ev, WfObject *object, const char *key, uint32 len, const WfValue *value);
extern WfValue *wf_expr_object_find(WfEval *ev, WfObject *object, const char *key, uint32 len);
extern void wf_expr_put_field(WfEval *ev, WfObject *object, const char *key, const WfValue *value);

/* Before entries are looked at: they are here. */
static inline void
wf_expr_object_settle(WfEval *ev, WfObject *object)
{
	if (unlikely(object->newer != NULL))
		wf_expr_object_own(ev, object);
}

extern WfMap *wf_expr_new_map(WfEval *ev);
extern WfMapEntry *wf_expr_map_find(WfEval *ev, WfMap *map, const WfValue *key);
extern void wf_expr_map_put(WfEval *ev, WfMap *map, const WfValue *key, const WfValue *value);
extern bool wf_expr_map_delete(WfEval *ev, WfMap *map, const WfValue *key);

/* Own member of an object or array, without methods; false when there is none. */
extern bool wf_expr_own_member(WfEval *ev, const WfValue *object, const char *key, uint32 len, WfValue *out);
/* A read `object.key`; throws for null and undefined. */
extern void wf_expr_get(WfEval *ev, const WfValue *object, const char *key, uint32 len, WfValue *out);
extern void wf_expr_get_value(WfEval *ev, const WfValue *object, const WfValue *key, WfValue *out);
#define wf_expr_get_field(ev, object, key, out) wf_expr_own_member((ev), (object), (key), strlen(key), (out))

/* Own enumerable members in JavaScript's order. */
typedef struct WfEntryIter
{
	const WfValue *object;
	WfJsonIter	json;
	uint32		i;
	int			pass;
} WfEntryIter;
extern void wf_expr_entries_begin(WfEval *ev, WfEntryIter *it, const WfValue *object);
extern bool wf_expr_entries_next(WfEval *ev, WfEntryIter *it, WfValue *key, WfValue *value);

/* What iterating gives: elements, code points, members of sets, pairs of maps. */
typedef struct WfItemIter
{
	WfValue		from;
	WfJsonIter	json;
	uint32		i;
} WfItemIter;
extern void wf_expr_items_begin(WfEval *ev, WfItemIter *it, const WfValue *value);
extern bool wf_expr_items_next(WfEval *ev, WfItemIter *it, WfValue *item);	/* HOLE for holes */

/* -- methods -- */

typedef enum WfClass
{
	WF_C_NONE,
	WF_C_STRING,
	WF_C_NUMBER,
	WF_C_BOOLEAN,
	WF_C_ARRAY,
	WF_C_OBJECT,
	WF_C_FUNCTION,
	WF_C_DATE,
	WF_C_DATETIME,
	WF_C_DURATION,
	WF_C_REGEXP,
	WF_C_SET,
	WF_C_MAP,
	WF_C_BIGINT,
} WfClass;

extern WfClass wf_expr_class(const WfValue *value);
extern const WfBuiltin *wf_expr_method(WfClass class, const char *name, uint32 len);
extern void wf_expr_method_ref(const char *name, uint32 len, WfMethodRef *ref);
extern const char *wf_expr_nearest_method(WfClass class, const char *name);
extern const WfNamespace *wf_expr_namespace(const char *name, uint32 len);
extern const WfBuiltin *wf_expr_global(const char *name, uint32 len);
extern const char *wf_expr_nearest_global(const char *name);
extern bool wf_expr_namespace_member(const WfNamespace *space, const char *key, uint32 len, WfValue *out);
extern const char *wf_expr_nearest_member(const WfNamespace *space, const char *name);

extern const WfBuiltin wf_expr_string_methods[];
extern const WfBuiltin wf_expr_string_regex_methods[];
extern const WfBuiltin wf_expr_number_methods[];
extern const WfBuiltin wf_expr_bigint_methods[];
extern const WfBuiltin wf_expr_array_methods[];
extern const WfBuiltin wf_expr_array_edit_methods[];
extern const WfBuiltin wf_expr_object_methods[];
extern const WfBuiltin wf_expr_date_methods[];
extern const WfBuiltin wf_expr_datetime_methods[];
extern const WfBuiltin wf_expr_duration_methods[];
extern const WfBuiltin wf_expr_regexp_methods[];
extern const WfBuiltin wf_expr_set_methods[];
extern const WfBuiltin wf_expr_map_methods[];
extern const WfBuiltin wf_expr_function_methods[];
extern const WfBuiltin wf_expr_string_helpers[];
extern const WfBuiltin wf_expr_number_helpers[];
extern const WfBuiltin wf_expr_array_helpers[];
extern const WfBuiltin wf_expr_object_helpers[];
extern const WfBuiltin wf_expr_boolean_helpers[];
extern const WfBuiltin wf_expr_date_helpers[];

extern const WfNamespace wf_expr_math;
extern const WfNamespace wf_expr_json;
extern const WfNamespace wf_expr_object_space;
extern const WfNamespace wf_expr_array_space;
extern const WfNamespace wf_expr_string_space;
extern const WfNamespace wf_expr_number_space;
extern const WfNamespace wf_expr_boolean_space;
extern const WfNamespace wf_expr_bigint_space;
extern const WfNamespace wf_expr_date_space;
extern const WfNamespace wf_expr_datetime_space;
extern const WfNamespace wf_expr_duration_space;
extern const WfNamespace wf_expr_regexp_space;
extern const WfNamespace wf_expr_set_space;
extern const WfNamespace wf_expr_map_space;

extern const WfBuiltin wf_expr_global_functions[];

/* builtins that are reached under two names, and helpers of theirs */
extern void wf_expr_parse_float(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out);
extern void wf_expr_parse_int(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out);
extern void wf_expr_is_nan(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out);
extern void wf_expr_is_finite(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out);
extern void wf_expr_max(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out);
extern void wf_expr_min(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out);
extern void wf_expr_map_case(WfEval *ev, const WfValue *string, bool upper, WfValue *out);
extern void wf_expr_uri_encode(WfEval *ev, const WfValue *text, const char *kept, WfValue *out);
extern void wf_expr_base64(WfEval *ev, const unsigned char *bytes, uint32 len, WfValue *out);
extern int64 wf_expr_unbase64(WfEval *ev, const WfValue *text, bool url, unsigned char *bytes);
extern void wf_expr_to_int_helper(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out);
extern bool wf_expr_is_empty(WfEval *ev, const WfValue *value);

/* JSON.stringify's text; false when it gives undefined. */
extern bool wf_expr_stringify(WfEval *ev, const WfValue *value, WfValue *out);
extern void wf_expr_parse_json(WfEval *ev, const WfValue *text, WfValue *out);

/* The result as the caller gets it (result.c). */
extern void wf_expr_result(WfEval *ev, const WfValue *value, JsonbValue *out);

/* date.c, datetime.c */
extern void wf_expr_date_text(WfEval *ev, const WfValue *date, char form, WfValue *out);
extern void wf_expr_moment_text(WfEval *ev, const WfMoment *moment, WfValue *out);
extern double wf_expr_moment_ms(const WfMoment *moment);
extern bool wf_expr_moment_member(WfEval *ev, const WfMoment *moment, const char *key, uint32 len, WfValue *out);
extern bool wf_expr_duration_member(WfEval *ev, const WfDuration *duration, const char *key, uint32 len, WfValue *out);
extern void wf_expr_duration_text(WfEval *ev, const WfDuration *duration, WfValue *out);

#endif
