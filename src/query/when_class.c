/*
 * when_class.c: how the columns of a type become JSON, as far as comparisons go (when_value.c).
 *
 * What is said here of a type of a user's is true as long as nobody makes a cast of it to json: to_jsonb would use that.
 */
#include "query/internal.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "query/when.h"
#include "utils/lsyscache.h"

#define EXACT_DIGITS 15			/* of a decimal that a double never confuses with another */
#define MAX_SCALE 30

static WfWhenClass
numeric_class(int32 typmod)
{
	int			precision;
	int			scale;

	if (typmod < VARHDRSZ)
		return WF_WHEN_NUMERIC;
	precision = ((typmod - VARHDRSZ) >> 16) & 0xffff;
	scale = (((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;
	return precision <= EXACT_DIGITS && scale >= 0 && scale <= MAX_SCALE ? WF_WHEN_SHORT_NUMERIC : WF_WHEN_NUMERIC;
}

/* A type of a user's may be cast to json in its own way. */
static bool
has_own_json(Oid type)
{
	Oid			function;

	return type >= FirstNormalObjectId &&
		find_coercion_pathway(JSONOID, type, COERCION_EXPLICIT, &function) == COERCION_PATH_FUNC;
}

static WfWhenClass
class_of(Oid type, int32 typmod, bool *is_composite)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
			return WF_WHEN_INT;
		case INT8OID:
			return WF_WHEN_INT8;
		case NUMERICOID:
			return numeric_class(typmod);
		case FLOAT4OID:
			return WF_WHEN_FLOAT4;
		case FLOAT8OID:
			return WF_WHEN_FLOAT8;
		case BOOLOID:
			return WF_WHEN_BOOL;
		case TEXTOID:
		case VARCHAROID:
		case NAMEOID:
			return WF_WHEN_TEXT;
		case UUIDOID:
			return WF_WHEN_UUID;
		case DATEOID:
			return WF_WHEN_DATE;
		case TIMESTAMPOID:
			return WF_WHEN_TIMESTAMP;
		case TIMESTAMPTZOID:
			return WF_WHEN_TIMESTAMPTZ;
		case JSONOID:
		case JSONBOID:
			return WF_WHEN_UNKNOWN;
		default:
			break;
	}
	*is_composite = type_is_rowtype(type);
	if (*is_composite || OidIsValid(get_element_type(type)))
		return WF_WHEN_PLAIN;
	if (has_own_json(type))
		return WF_WHEN_UNKNOWN;
	return type_is_enum(type) ? WF_WHEN_ENUM : WF_WHEN_PLAIN;
}

WfWhenClass
wf_query_when_class(Oid type, int32 typmod, Oid *base, bool *is_composite)
{
	*is_composite = false;
	*base = getBaseTypeAndTypmod(type, &typmod);
	return class_of(*base, typmod, is_composite);
}
