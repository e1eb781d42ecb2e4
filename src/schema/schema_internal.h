/*
 * schema_internal.h: what the files of schema/ share; nobody else includes it.
 *
 * A compiled schema is a graph of WfSchemaNode (one per subschema object, cycles through references)
 * whose keywords are WfSchemaCheck entries: a function, the kinds of instance that it looks at, and
 * its own data. The evaluator calls through the pointer; no switch over keywords exists.
 *
 * Which file does what:
 *   compile.c   documents, identifiers, references; makes nodes
 *   keywords.c  the table of keywords and how each is compiled
 *   validate.c  the evaluator, and the keywords that apply to any value
 *   object.c, array.c, scalar.c  the other keywords, by the kind of value
 *   report.c    errors: paths and words
 *   uri.c, format*.c, metaschema.c  RFC 3986, formats, the dialect's own documents
 */
#ifndef WF_SCHEMA_SCHEMA_INTERNAL_H
#define WF_SCHEMA_SCHEMA_INTERNAL_H

#include "postgres.h"

#include "base/json.h"
#include "base/regex.h"
#include "nodes/pg_list.h"
#include "schema/schema.h"

typedef struct WfSchemaNode WfSchemaNode;
typedef struct WfSchemaCheck WfSchemaCheck;
typedef struct WfSchemaResource WfSchemaResource;
typedef struct WfSchemaDocument WfSchemaDocument;
typedef struct WfSchemaCompiler WfSchemaCompiler;

/* -- kinds of instance, as bits -- */

#define WF_SCHEMA_NULL		0x01
#define WF_SCHEMA_BOOLEAN	0x02
#define WF_SCHEMA_NUMBER	0x04
#define WF_SCHEMA_STRING	0x08
#define WF_SCHEMA_ARRAY		0x10
#define WF_SCHEMA_OBJECT	0x20
#define WF_SCHEMA_ANY		0x3F
#define WF_SCHEMA_INTEGER	0x40	/* in the keyword `type` only */

extern int	wf_schema_kind(const JsonbValue *value);

/* -- vocabularies, as bits -- */

#define WF_VOCABULARY_CORE			0x01
#define WF_VOCABULARY_APPLICATOR	0x02
#define WF_VOCABULARY_UNEVALUATED	0x04
#define WF_VOCABULARY_VALIDATION	0x08
#define WF_VOCABULARY_META_DATA		0x10
#define WF_VOCABULARY_FORMAT		0x20
#define WF_VOCABULARY_ASSERTION		0x40	/* formats are asserted */
#define WF_VOCABULARY_CONTENT		0x80
#define WF_VOCABULARY_DEFAULT		(0xFF & ~WF_VOCABULARY_ASSERTION)

/* -- where something stands in a document -- */

typedef struct WfSchemaLocation
{
	const struct WfSchemaLocation *parent;	/* NULL: the root of `document` */
	WfSchemaDocument *document;
	const char *keyword;		/* NULL: only name or index */
	const char *name;			/* member of the keyword's object, or NULL */
	int			name_len;
	int			index;			/* element of the keyword's array, or -1 */
} WfSchemaLocation;

/* -- the compiled form -- */

struct WfSchemaDocument
{
	const char *uri;			/* under which it was registered; empty for a root without one */
	bool		is_root;		/* the document given to wf_schema_compile */
	const Jsonb *json;
	WfSchemaLocation location;	/* of its root */
};

typedef struct WfSchemaAnchor
{
	const char *name;
	int			name_len;
	bool		dynamic;
	JsonbValue	value;
	const WfSchemaLocation *location;
	WfSchemaNode *node;			/* dynamic ones, once compiled */
} WfSchemaAnchor;

/* A schema resource: a subschema with an absolute URI of its own (its `$id`, or its document's). */
struct WfSchemaResource
{
	const char *uri;			/* without fragment */
	WfSchemaDocument *document;
	JsonbValue	value;
	const WfSchemaLocation *location;
	uint32		vocabularies;
	List	   *anchors;		/* of WfSchemaAnchor * */
	bool		has_dynamic;
};

struct WfSchemaNode
{
	const WfSchemaResource *resource;
	const WfSchemaLocation *location;
	bool		is_boolean;
	bool		boolean;		/* when is_boolean */
	bool		wants_seen;		/* has unevaluatedProperties or unevaluatedItems */
	int			n_checks;
	WfSchemaCheck *checks;		/* by phase */
};

/* -- evaluation -- */

/* The step from an instance to its child; a chain on the stack, made into a pointer when reporting. */
typedef struct WfSchemaPath
{
	const struct WfSchemaPath *parent;
	const char *name;			/* or NULL: index */
	int			name_len;
	uint32		index;
} WfSchemaPath;

typedef struct WfSchemaScope
{
	const struct WfSchemaScope *outer;
	const WfSchemaResource *resource;
} WfSchemaScope;

/* Which members or elements of one instance have been evaluated (the annotations that unevaluated* read). */
typedef struct WfSchemaSeen
{
	uint32		n;
	uint64		few;			/* the bits when n <= 64 */
	uint64	   *words;			/* the bits otherwise */
} WfSchemaSeen;

typedef struct WfSchemaEval
{
	const WfSchema *schema;
	List	  **errors;			/* NULL: only whether it is valid */
	int			most;
	const WfSchemaScope *scope;
	const WfSchemaPath *name_of;	/* set while a property's name is the instance */
} WfSchemaEval;

/*
 * One keyword. Returns whether the instance satisfies it; reports when e->errors is set. `seen` is
 * NULL unless somebody asks what was evaluated; a check marks what it evaluated successfully.
 */
typedef bool (*WfSchemaApply) (WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check,
							   const JsonbValue *value, const WfSchemaPath *path, WfSchemaSeen *seen);

struct WfSchemaCheck
{
	WfSchemaApply apply;
	const char *keyword;
	uint8		kinds;			/* of instances that it looks at */
	uint8		phase;			/* 0: type, 1: most, 2: unevaluated* */
	void	   *data;
};

/* validate.c */
extern bool wf_schema_evaluate(WfSchemaEval *e, const WfSchemaNode *node, const JsonbValue *value,
							   const WfSchemaPath *path, WfSchemaSeen *seen);
/* The same without reporting. */
extern bool wf_schema_test(WfSchemaEval *e, const WfSchemaNode *node, const JsonbValue *value,
						   const WfSchemaPath *path, WfSchemaSeen *seen);
extern void wf_schema_seen_begin(WfSchemaSeen *seen, const JsonbValue *value);
extern void wf_schema_seen_end(WfSchemaSeen *seen);
extern void wf_schema_seen_merge(WfSchemaSeen *seen, const WfSchemaSeen *other);

static inline void
wf_schema_seen_mark(WfSchemaSeen *seen, uint32 index)
{
	seen->words[index / 64] |= UINT64CONST(1) << (index % 64);
}

static inline bool
wf_schema_seen_has(const WfSchemaSeen *seen, uint32 index)
{
	return (seen->words[index / 64] & (UINT64CONST(1) << (index % 64))) != 0;
}

/* report.c */
extern void wf_schema_report(WfSchemaEval *e, const WfSchemaNode *node, const char *keyword,
							 const WfSchemaPath *path, const char *property, const char *fmt, ...)
	pg_attribute_printf(6, 7);
extern char *wf_schema_location_text(const WfSchemaLocation *location, const char *keyword);
/* A value as a message shows it: its JSON text, clipped. */
extern char *wf_schema_show(const JsonbValue *value);
extern char *wf_schema_show_name(const char *name, int len);

/* hash.c */
extern uint32 wf_schema_hash(const JsonbValue *value);
/* -- data of the checks -- */

typedef struct WfSchemaList
{
	int			n;
	WfSchemaNode **nodes;
} WfSchemaList;

typedef struct WfSchemaValues
{
	int			n;
	JsonbValue *values;
	uint32		mask;			/* of the hash table; 0: none */
	int		   *slots;			/* index + 1 */
} WfSchemaValues;

typedef struct WfSchemaName
{
	const char *name;
	int			name_len;
	WfSchemaNode *node;			/* properties, dependentSchemas */
	int			n_others;		/* dependentRequired */
	struct WfSchemaName *others;
} WfSchemaName;

typedef struct WfSchemaNames
{
	int			n;
	WfSchemaName *names;		/* in jsonb's order: by length, then by bytes */
} WfSchemaNames;

typedef struct WfSchemaPattern
{
	const char *source;
	WfRegex    *regex;
	WfSchemaNode *node;
} WfSchemaPattern;

typedef struct WfSchemaMembers
{
	WfSchemaNames properties;
	int			n_patterns;
	WfSchemaPattern *patterns;
	WfSchemaNode *additional;	/* or NULL */
} WfSchemaMembers;

typedef struct WfSchemaItems
{
	WfSchemaList prefix;
	WfSchemaNode *rest;			/* or NULL */
} WfSchemaItems;

typedef struct WfSchemaContains
{
	WfSchemaNode *node;
	int64		min;
	int64		max;			/* -1: none */
	bool		has_min;
} WfSchemaContains;

typedef struct WfSchemaIf
{
	WfSchemaNode *condition;
	WfSchemaNode *then_node;	/* or NULL */
	WfSchemaNode *else_node;	/* or NULL */
} WfSchemaIf;

typedef struct WfSchemaRef
{
	WfSchemaNode *target;
	const char *dynamic_name;	/* $dynamicRef to a $dynamicAnchor; else NULL */
} WfSchemaRef;

typedef struct WfSchemaFormat
{
	const char *name;
	bool		(*valid) (const char *text, int len);
} WfSchemaFormat;

/* -- the keywords' functions, one prototype per line -- */

#define WF_SCHEMA_APPLY(name) \
	extern bool name(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, \
					 const JsonbValue *value, const WfSchemaPath *path, WfSchemaSeen *seen)
WF_SCHEMA_APPLY(wf_schema_apply_type);
WF_SCHEMA_APPLY(wf_schema_apply_enum);
WF_SCHEMA_APPLY(wf_schema_apply_const);
WF_SCHEMA_APPLY(wf_schema_apply_ref);
WF_SCHEMA_APPLY(wf_schema_apply_all_of);
WF_SCHEMA_APPLY(wf_schema_apply_any_of);
WF_SCHEMA_APPLY(wf_schema_apply_one_of);
WF_SCHEMA_APPLY(wf_schema_apply_not);
WF_SCHEMA_APPLY(wf_schema_apply_if);
WF_SCHEMA_APPLY(wf_schema_apply_minimum);
WF_SCHEMA_APPLY(wf_schema_apply_maximum);
WF_SCHEMA_APPLY(wf_schema_apply_exclusive_minimum);
WF_SCHEMA_APPLY(wf_schema_apply_exclusive_maximum);
WF_SCHEMA_APPLY(wf_schema_apply_multiple_of);
WF_SCHEMA_APPLY(wf_schema_apply_min_length);
WF_SCHEMA_APPLY(wf_schema_apply_max_length);
WF_SCHEMA_APPLY(wf_schema_apply_pattern);
WF_SCHEMA_APPLY(wf_schema_apply_format);
WF_SCHEMA_APPLY(wf_schema_apply_items);
WF_SCHEMA_APPLY(wf_schema_apply_contains);
WF_SCHEMA_APPLY(wf_schema_apply_min_items);
WF_SCHEMA_APPLY(wf_schema_apply_max_items);
WF_SCHEMA_APPLY(wf_schema_apply_unique_items);
WF_SCHEMA_APPLY(wf_schema_apply_unevaluated_items);
WF_SCHEMA_APPLY(wf_schema_apply_members);
WF_SCHEMA_APPLY(wf_schema_apply_required);
WF_SCHEMA_APPLY(wf_schema_apply_min_properties);
WF_SCHEMA_APPLY(wf_schema_apply_max_properties);
WF_SCHEMA_APPLY(wf_schema_apply_property_names);
WF_SCHEMA_APPLY(wf_schema_apply_dependent_required);
WF_SCHEMA_APPLY(wf_schema_apply_dependent_schemas);
WF_SCHEMA_APPLY(wf_schema_apply_unevaluated_properties);

/* -- compiling -- */

struct WfSchema
{
	MemoryContext memory;
	WfSchemaNode *root;
	WfSchemaResource *resource;
	int			flags;
};

typedef struct WfSchemaEntry
{
	const JsonbContainer *container;	/* hash key */
	WfSchemaResource *resource;
	const WfSchemaLocation *location;
	WfSchemaNode *node;			/* NULL until compiled */
} WfSchemaEntry;

typedef struct WfSchemaPending
{
	WfSchemaRef *ref;
	const WfSchemaResource *resource;
	const WfSchemaLocation *location;
	const char *keyword;
	const char *reference;
	bool		dynamic;
} WfSchemaPending;

struct WfSchemaCompiler
{
	WfSchema   *schema;
	int			n_sources;
	const WfSchemaSource *sources;
	List	   *documents;		/* of WfSchemaDocument * */
	List	   *resources;		/* of WfSchemaResource * */
	struct HTAB *entries;		/* of WfSchemaEntry, by container */
	List	   *pending;		/* of WfSchemaPending *: references not yet linked */
	bool		has_dynamic_ref;
	bool		failed;
	WfSchemaError problem;		/* when failed */
};

/* How a keyword's value holds subschemas. */
typedef enum WfSchemaHolds
{
	WF_SCHEMA_HOLDS_NONE,
	WF_SCHEMA_HOLDS_ONE,
	WF_SCHEMA_HOLDS_LIST,
	WF_SCHEMA_HOLDS_MAP,
	WF_SCHEMA_HOLDS_SOME_MAP,	/* `dependencies`: members that are arrays are no schemas */
} WfSchemaHolds;

typedef struct WfSchemaKeyword
{
	const char *name;
	WfSchemaHolds holds;
	uint8		vocabulary;
	uint8		kinds;
	uint8		phase;
	WfSchemaApply apply;		/* NULL: nothing to check, or done with another keyword */
	/* Makes check->data; false when the keyword needs no check after all. NULL: no data. */
	bool		(*compile) (WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema,
							const JsonbValue *value, WfSchemaCheck *check);
} WfSchemaKeyword;

/* keywords.c */
extern const WfSchemaKeyword *wf_schema_keyword_find(const char *name, int len);
extern void wf_schema_keywords_compile(WfSchemaCompiler *c, WfSchemaNode *node, const JsonbValue *schema);

/* compile.c */
/* Notes the first thing wrong; later ones are ignored. */
extern void wf_schema_problem(WfSchemaCompiler *c, const WfSchemaLocation *location, const char *keyword,
							  const char *fmt, ...) pg_attribute_printf(4, 5);
extern WfSchemaNode *wf_schema_compile_child(WfSchemaCompiler *c, const WfSchemaNode *parent, const JsonbValue *value,
											 const char *keyword, const char *name, int name_len, int index);
extern void wf_schema_compile_ref(WfSchemaCompiler *c, const WfSchemaNode *node, const JsonbValue *value,
								  bool dynamic, WfSchemaRef *ref);

/* metaschema.c */
extern const char *const wf_schema_dialect_uri;
/* The text of one of the dialect's own documents, or NULL. */
extern const char *wf_schema_metaschema(const char *uri);
/* The bit of a vocabulary by its URI; 0 when unknown. */
extern uint32 wf_schema_vocabulary(const char *uri, int len);

/* uri.c */
#define WF_URI_REFERENCE	0x01	/* may be relative */
#define WF_URI_IRI			0x02	/* may hold characters beyond ASCII */
extern bool wf_schema_uri_valid(const char *text, int len, int flags);
/* Resolves a reference against a base (RFC 3986, 5.2), fragment included. */
extern char *wf_schema_uri_resolve(const char *base, const char *reference);
/* Percent-decodes in place; false when an escape is malformed. */
extern bool wf_schema_uri_decode(char *text);

/* format.c */
extern const WfSchemaFormat *wf_schema_format_find(const char *name, int len);
extern bool wf_schema_format_ipv4(const char *text, int len);
extern bool wf_schema_format_ipv6(const char *text, int len);

/* format_idn.c */
extern bool wf_schema_format_hostname(const char *text, int len);
extern bool wf_schema_format_idn_hostname(const char *text, int len);

#endif
