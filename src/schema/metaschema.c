/*
 * metaschema.c: the documents of the dialect itself (JSON Schema 2020-12), always registered.
 *
 * So a schema can refer to them, and a value that is meant to be a schema can be checked like any
 * other. They are parsed and compiled only by schemas that refer to them; the compiler itself does
 * not use them (see compile.c).
 */
#include "postgres.h"

#include "base/compat.h"
#include "schema/schema_internal.h"

#define BASE "https://json-schema.org/draft/2020-12/"
#define HEAD(name) "{\"$schema\":\"" BASE "schema\",\"$id\":\"" BASE name "\",\"$dynamicAnchor\":\"meta\","
#define SELF "{\"$dynamicRef\":\"#meta\"}"
#define KIND "\"type\":[\"object\",\"boolean\"]"

const char *const wf_schema_dialect_uri = BASE "schema";

static const char schema[] = HEAD("schema")
"\"$vocabulary\":{"
"\"" BASE "vocab/core\":true,"
"\"" BASE "vocab/applicator\":true,"
"\"" BASE "vocab/unevaluated\":true,"
"\"" BASE "vocab/validation\":true,"
"\"" BASE "vocab/meta-data\":true,"
"\"" BASE "vocab/format-annotation\":true,"
"\"" BASE "vocab/content\":true},"
"\"title\":\"Core and Validation specifications meta-schema\","
"\"allOf\":[{\"$ref\":\"meta/core\"},{\"$ref\":\"meta/applicator\"},{\"$ref\":\"meta/unevaluated\"},"
"{\"$ref\":\"meta/validation\"},{\"$ref\":\"meta/meta-data\"},{\"$ref\":\"meta/format-annotation\"},"
"{\"$ref\":\"meta/content\"}]," KIND ","
"\"$comment\":\"This meta-schema also defines keywords that have appeared in previous drafts in order to prevent incompatible extensions as they remain in common use.\","
"\"properties\":{"
"\"definitions\":{\"$comment\":\"\\\"definitions\\\" has been replaced by \\\"$defs\\\".\",\"type\":\"object\",\"additionalProperties\":" SELF ",\"deprecated\":true,\"default\":{}},"
"\"dependencies\":{\"$comment\":\"\\\"dependencies\\\" has been split and replaced by \\\"dependentSchemas\\\" and \\\"dependentRequired\\\" in order to serve their differing semantics.\","
"\"type\":\"object\",\"additionalProperties\":{\"anyOf\":[" SELF ",{\"$ref\":\"meta/validation#/$defs/stringArray\"}]},\"deprecated\":true,\"default\":{}},"
"\"$recursiveAnchor\":{\"$comment\":\"\\\"$recursiveAnchor\\\" has been replaced by \\\"$dynamicAnchor\\\".\",\"$ref\":\"meta/core#/$defs/anchorString\",\"deprecated\":true},"
"\"$recursiveRef\":{\"$comment\":\"\\\"$recursiveRef\\\" has been replaced by \\\"$dynamicRef\\\".\",\"$ref\":\"meta/core#/$defs/uriReferenceString\",\"deprecated\":true}}}";

static const char core[] = HEAD("meta/core")
"\"title\":\"Core vocabulary meta-schema\"," KIND ",\"properties\":{"
"\"$id\":{\"$ref\":\"#/$defs/uriReferenceString\",\"$comment\":\"Non-empty fragments not allowed.\",\"pattern\":\"^[^#]*#?$\"},"
"\"$schema\":{\"$ref\":\"#/$defs/uriString\"},"
"\"$ref\":{\"$ref\":\"#/$defs/uriReferenceString\"},"
"\"$anchor\":{\"$ref\":\"#/$defs/anchorString\"},"
"\"$dynamicRef\":{\"$ref\":\"#/$defs/uriReferenceString\"},"
"\"$dynamicAnchor\":{\"$ref\":\"#/$defs/anchorString\"},"
"\"$vocabulary\":{\"type\":\"object\",\"propertyNames\":{\"$ref\":\"#/$defs/uriString\"},\"additionalProperties\":{\"type\":\"boolean\"}},"
"\"$comment\":{\"type\":\"string\"},"
"\"$defs\":{\"type\":\"object\",\"additionalProperties\":" SELF "}},"
"\"$defs\":{"
"\"anchorString\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z_][-A-Za-z0-9._]*$\"},"
"\"uriString\":{\"type\":\"string\",\"format\":\"uri\"},"
"\"uriReferenceString\":{\"type\":\"string\",\"format\":\"uri-reference\"}}}";

static const char applicator[] = HEAD("meta/applicator")
"\"title\":\"Applicator vocabulary meta-schema\"," KIND ",\"properties\":{"
"\"prefixItems\":{\"$ref\":\"#/$defs/schemaArray\"},"
"\"items\":" SELF ",\"contains\":" SELF ",\"additionalProperties\":" SELF ","
"\"properties\":{\"type\":\"object\",\"additionalProperties\":" SELF ",\"default\":{}},"
"\"patternProperties\":{\"type\":\"object\",\"additionalProperties\":" SELF ",\"propertyNames\":{\"format\":\"regex\"},\"default\":{}},"
"\"dependentSchemas\":{\"type\":\"object\",\"additionalProperties\":" SELF ",\"default\":{}},"
"\"propertyNames\":" SELF ",\"if\":" SELF ",\"then\":" SELF ",\"else\":" SELF ","
"\"allOf\":{\"$ref\":\"#/$defs/schemaArray\"},"
"\"anyOf\":{\"$ref\":\"#/$defs/schemaArray\"},"
"\"oneOf\":{\"$ref\":\"#/$defs/schemaArray\"},"
"\"not\":" SELF "},"
"\"$defs\":{\"schemaArray\":{\"type\":\"array\",\"minItems\":1,\"items\":" SELF "}}}";

static const char unevaluated[] = HEAD("meta/unevaluated")
"\"title\":\"Unevaluated applicator vocabulary meta-schema\"," KIND ",\"properties\":{"
"\"unevaluatedItems\":" SELF ",\"unevaluatedProperties\":" SELF "}}";

static const char validation[] = HEAD("meta/validation")
"\"title\":\"Validation vocabulary meta-schema\"," KIND ",\"properties\":{"
"\"type\":{\"anyOf\":[{\"$ref\":\"#/$defs/simpleTypes\"},{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/simpleTypes\"},\"minItems\":1,\"uniqueItems\":true}]},"
"\"const\":true,\"enum\":{\"type\":\"array\",\"items\":true},"
"\"multipleOf\":{\"type\":\"number\",\"exclusiveMinimum\":0},"
"\"maximum\":{\"type\":\"number\"},\"exclusiveMaximum\":{\"type\":\"number\"},"
"\"minimum\":{\"type\":\"number\"},\"exclusiveMinimum\":{\"type\":\"number\"},"
"\"maxLength\":{\"$ref\":\"#/$defs/nonNegativeInteger\"},"
"\"minLength\":{\"$ref\":\"#/$defs/nonNegativeIntegerDefault0\"},"
"\"pattern\":{\"type\":\"string\",\"format\":\"regex\"},"
"\"maxItems\":{\"$ref\":\"#/$defs/nonNegativeInteger\"},"
"\"minItems\":{\"$ref\":\"#/$defs/nonNegativeIntegerDefault0\"},"
"\"uniqueItems\":{\"type\":\"boolean\",\"default\":false},"
"\"maxContains\":{\"$ref\":\"#/$defs/nonNegativeInteger\"},"
"\"minContains\":{\"$ref\":\"#/$defs/nonNegativeInteger\",\"default\":1},"
"\"maxProperties\":{\"$ref\":\"#/$defs/nonNegativeInteger\"},"
"\"minProperties\":{\"$ref\":\"#/$defs/nonNegativeIntegerDefault0\"},"
"\"required\":{\"$ref\":\"#/$defs/stringArray\"},"
"\"dependentRequired\":{\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#/$defs/stringArray\"}}},"
"\"$defs\":{"
"\"nonNegativeInteger\":{\"type\":\"integer\",\"minimum\":0},"
"\"nonNegativeIntegerDefault0\":{\"$ref\":\"#/$defs/nonNegativeInteger\",\"default\":0},"
"\"simpleTypes\":{\"enum\":[\"array\",\"boolean\",\"integer\",\"null\",\"number\",\"object\",\"string\"]},"
"\"stringArray\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"uniqueItems\":true,\"default\":[]}}}";

static const char meta_data[] = HEAD("meta/meta-data")
"\"title\":\"Meta-data vocabulary meta-schema\"," KIND ",\"properties\":{"
"\"title\":{\"type\":\"string\"},\"description\":{\"type\":\"string\"},\"default\":true,"
"\"deprecated\":{\"type\":\"boolean\",\"default\":false},"
"\"readOnly\":{\"type\":\"boolean\",\"default\":false},"
"\"writeOnly\":{\"type\":\"boolean\",\"default\":false},"
"\"examples\":{\"type\":\"array\",\"items\":true}}}";

static const char format_annotation[] = HEAD("meta/format-annotation")
"\"title\":\"Format vocabulary meta-schema for annotation results\"," KIND ",\"properties\":{\"format\":{\"type\":\"string\"}}}";

static const char format_assertion[] = HEAD("meta/format-assertion")
"\"title\":\"Format vocabulary meta-schema for assertion results\"," KIND ",\"properties\":{\"format\":{\"type\":\"string\"}}}";

static const char content[] = HEAD("meta/content")
"\"title\":\"Content vocabulary meta-schema\"," KIND ",\"properties\":{"
"\"contentEncoding\":{\"type\":\"string\"},\"contentMediaType\":{\"type\":\"string\"},\"contentSchema\":" SELF "}}";

/* In the order of the vocabularies' bits; the last line is the dialect itself, which is none. */
static const struct
{
	const char *uri;
	const char *vocabulary;
	uint32		bits;
	const char *text;
} documents[] = {
	{BASE "meta/core", BASE "vocab/core", WF_VOCABULARY_CORE, core},
	{BASE "meta/applicator", BASE "vocab/applicator", WF_VOCABULARY_APPLICATOR, applicator},
	{BASE "meta/unevaluated", BASE "vocab/unevaluated", WF_VOCABULARY_UNEVALUATED, unevaluated},
	{BASE "meta/validation", BASE "vocab/validation", WF_VOCABULARY_VALIDATION, validation},
	{BASE "meta/meta-data", BASE "vocab/meta-data", WF_VOCABULARY_META_DATA, meta_data},
	{BASE "meta/format-annotation", BASE "vocab/format-annotation", WF_VOCABULARY_FORMAT, format_annotation},
	{BASE "meta/format-assertion", BASE "vocab/format-assertion", WF_VOCABULARY_ASSERTION, format_assertion},
	{BASE "meta/content", BASE "vocab/content", WF_VOCABULARY_CONTENT, content},
	{BASE "schema", NULL, 0, schema},
};

const char *
wf_schema_metaschema(const char *uri)
{
	for (int i = 0; i < lengthof(documents); i++)
	{
		if (strcmp(documents[i].uri, uri) == 0)
			return documents[i].text;
	}
	return NULL;
}

uint32
wf_schema_vocabulary(const char *uri, int len)
{
	for (int i = 0; i < lengthof(documents); i++)
	{
		if (documents[i].vocabulary != NULL && strlen(documents[i].vocabulary) == len &&
			memcmp(documents[i].vocabulary, uri, len) == 0)
			return documents[i].bits;
	}
	return 0;
}
