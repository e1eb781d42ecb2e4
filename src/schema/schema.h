/*
 * schema.h: a JSON Schema 2020-12 validator on jsonb, whole: all vocabularies, $ref, $anchor,
 * $dynamicRef, unevaluated*, local and registered schemas; it never fetches. `format` is asserted on
 * request. Compiled once, applied often.
 */
#ifndef WF_SCHEMA_SCHEMA_H
#define WF_SCHEMA_SCHEMA_H

#include "postgres.h"
#include "base/json.h"

typedef struct WfSchema WfSchema;
struct WfPiiPaths;

typedef struct WfSchemaError
{
	const char *instance_path;	/* JSON Pointer: /items/3/qty; empty at the root */
	const char *keyword_path;	/* JSON Pointer into the schema: /properties/items/items/minimum */
	const char *keyword;		/* minimum */
	const char *message;		/* must be at least 1 */
	const char *property;		/* additionalProperties, required ...: the name concerned; or NULL */
} WfSchemaError;

/* A schema known under a URI, for $ref to other documents. */
typedef struct WfSchemaSource
{
	const char *uri;
	const Jsonb *document;
} WfSchemaSource;

#define WF_SCHEMA_ASSERT_FORMAT 0x01

/*
 * Compiles; the result is in CurrentMemoryContext with a copy of the document. Returns NULL when it
 * is not a valid schema: *error (if given) then says what and where. Never throws but for memory and
 * cancel.
 */
extern WfSchema *wf_schema_compile(const Jsonb *document, int n_sources, const WfSchemaSource *sources,
								   int flags, WfSchemaError *error);

/*
 * True when `value` is valid. Otherwise up to `most` errors are appended to *errors (a List of
 * WfSchemaError *, in CurrentMemoryContext); errors may be NULL to only know. Throws WF006 when
 * nesting or references go deeper than the stack allows, WF009 when a pattern exceeds its limit.
 */
extern bool wf_schema_validate(const WfSchema *schema, const JsonbValue *value, List **errors, int most);

/*
 * Adds the paths of what a schema marks with `"pii": true`, each behind the member `prefix` (NULL: at the root). Subschemas are
 * followed wherever they are for the value or a part of it, `$ref` within the document too, as deep as 16 levels of the
 * value. False when there are more paths than may be. (personal.c)
 */
extern bool wf_schema_personal(const JsonbValue *schema, const char *prefix, struct WfPiiPaths *paths);

#endif
