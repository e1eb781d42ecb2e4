/*
 * json.c: reading jsonb in place.
 *
 * A JsonbValue of type jbvBinary points at a container inside somebody else's Jsonb; these functions
 * walk from container to container without copying anything. The layout is that of
 * utils/adt/jsonb_util.c: a header with the count, one JEntry per child (an object has its keys
 * first, then its values), then the data; numerics and containers are aligned to 4 bytes.
 *
 * jsonwrite.c is the other half.
 */
#include "postgres.h"

#include <math.h>

#include "base/json.h"
#include "common/shortest_dec.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

/* Child `index` of a container, whose data begins at `offset` of `base`. Borrowed. */
static inline void
fill_value(const JsonbContainer *container, int index, const char *base, uint32 offset, JsonbValue *out)
{
	JEntry		entry = container->children[index];

	if (JBE_ISSTRING(entry))
	{
		out->type = jbvString;
		out->val.string.val = unconstify(char *, base) + offset;
		out->val.string.len = getJsonbLength(container, index);
	}
	else if (JBE_ISNUMERIC(entry))
	{
		out->type = jbvNumeric;
		out->val.numeric = (Numeric) (unconstify(char *, base) + INTALIGN(offset));
	}
	else if (JBE_ISCONTAINER(entry))
	{
		out->type = jbvBinary;
		out->val.binary.data = (JsonbContainer *) (unconstify(char *, base) + INTALIGN(offset));
		out->val.binary.len = getJsonbLength(container, index) - (INTALIGN(offset) - offset);
	}
	else if (JBE_ISBOOL_TRUE(entry) || JBE_ISBOOL_FALSE(entry))
	{
		out->type = jbvBool;
		out->val.boolean = JBE_ISBOOL_TRUE(entry);
	}
	else
		out->type = jbvNull;
}

void
wf_json_root(const Jsonb *jsonb, JsonbValue *out)
{
	JsonbContainer *root = unconstify(JsonbContainer *, &jsonb->root);

	if (JsonContainerIsScalar(root))
		fill_value(root, 0, (const char *) &root->children[1], 0, out);
	else
	{
		out->type = jbvBinary;
		out->val.binary.data = root;
		out->val.binary.len = VARSIZE(jsonb) - VARHDRSZ;
	}
}

bool
wf_json_get(const JsonbValue *object, const char *key, int key_len, JsonbValue *out)
{
	if (object->type != jbvBinary || !JsonContainerIsObject(object->val.binary.data))
		return false;
	return getKeyJsonValueFromContainer(object->val.binary.data, key, key_len, out) != NULL;
}

bool
wf_json_element(const JsonbValue *array, uint32 index, JsonbValue *out)
{
	JsonbContainer *container;
	uint32		count;

	if (array->type != jbvBinary || !JsonContainerIsArray(array->val.binary.data))
		return false;
	container = array->val.binary.data;
	count = JsonContainerSize(container);
	if (index >= count)
		return false;
	fill_value(container, index, (const char *) &container->children[count], getJsonbOffset(container, index), out);
	return true;
}

bool
wf_json_is_object(const JsonbValue *value)
{
	return value->type == jbvObject ||
		(value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data));
}

bool
wf_json_is_array(const JsonbValue *value)
{
	return value->type == jbvArray ||
		(value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data));
}

bool
wf_json_is_string(const JsonbValue *value)
{
	return value->type == jbvString;
}

uint32
wf_json_count(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvBinary:
			return JsonContainerSize(value->val.binary.data);
		case jbvArray:
			return value->val.array.nElems;
		case jbvObject:
			return value->val.object.nPairs;
		default:
			return 0;
	}
}

void
wf_json_iter_begin(WfJsonIter *it, const JsonbValue *value)
{
	memset(it, 0, sizeof(*it));
	if (value->type != jbvBinary)
		return;
	it->container = value->val.binary.data;
	it->count = JsonContainerSize(it->container);
	it->is_object = JsonContainerIsObject(it->container);
	if (it->is_object)
	{
		it->base = (char *) &it->container->children[it->count * 2];
		it->offset_value = it->count > 0 ? getJsonbOffset(it->container, it->count) : 0;
	}
	else
		it->base = (char *) &it->container->children[it->count];
}

bool
wf_json_iter_next(WfJsonIter *it, JsonbValue *key, JsonbValue *value)
{
	uint32		slot = it->index;

	if (it->index >= it->count)
		return false;
	if (it->is_object)
	{
		fill_value(it->container, it->index, it->base, it->offset_key, key);
		JBE_ADVANCE_OFFSET(it->offset_key, it->container->children[it->index]);
		slot += it->count;
	}
	fill_value(it->container, slot, it->base, it->offset_value, value);
	JBE_ADVANCE_OFFSET(it->offset_value, it->container->children[slot]);
	it->index++;
	return true;
}

char *
wf_json_cstring(const JsonbValue *value)
{
	if (value->type != jbvString)
		return NULL;
	return pnstrdup(value->val.string.val, value->val.string.len);
}

char *
wf_json_get_cstring(const JsonbValue *object, const char *key)
{
	JsonbValue	value;

	return wf_json_field(object, key, &value) ? wf_json_cstring(&value) : NULL;
}

int64
wf_json_get_int64(const JsonbValue *object, const char *key, int64 otherwise)
{
	JsonbValue	value;
	int64		number;

	return wf_json_field(object, key, &value) && wf_json_int64(&value, &number) ? number : otherwise;
}

Jsonb *
wf_json_get_jsonb(const JsonbValue *object, const char *key)
{
	JsonbValue	value;

	return wf_json_field(object, key, &value) ? wf_json_copy(&value) : NULL;
}

bool
wf_json_double(const JsonbValue *value, double *out)
{
	if (value->type != jbvNumeric)
		return false;
	*out = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(value->val.numeric)));
	return true;
}

bool
wf_json_int64(const JsonbValue *value, int64 *out)
{
	double		approximate;
	Datum		number;
	bool		over = false;
	int32		small;

	if (value->type != jbvNumeric)
		return false;
	/* most are small and whole, and have no digits behind the point; others are rounded, and the same if they are whole */
	small = numeric_int4_opt_error(value->val.numeric, &over);
	if (!over)
	{
		*out = small;
		return DatumGetInt32(DirectFunctionCall1(numeric_scale, NumericGetDatum(value->val.numeric))) == 0 ||
			DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(int64_to_numeric(small)),
												NumericGetDatum(value->val.numeric)));
	}
	if (!wf_json_double(value, &approximate) || isnan(approximate))
		return false;
	if (approximate >= 9223372036854775808.0 || approximate < -9223372036854775808.0)
	{
		/* 2^63 - 1 as a double is 2^63: such a number is compared exactly */
		number = DirectFunctionCall1(int8_numeric, Int64GetDatum(approximate > 0 ? PG_INT64_MAX : PG_INT64_MIN));
		if (!DatumGetBool(DirectFunctionCall2(numeric_eq, number, NumericGetDatum(value->val.numeric))))
		{
			if (approximate != 9223372036854775808.0 ||
				DatumGetBool(DirectFunctionCall2(numeric_gt, NumericGetDatum(value->val.numeric), number)))
				return false;
		}
	}
	number = DirectFunctionCall1(numeric_floor, NumericGetDatum(value->val.numeric));
	if (!DatumGetBool(DirectFunctionCall2(numeric_eq, number, NumericGetDatum(value->val.numeric))))
		return false;
	*out = DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value->val.numeric)));
	return true;
}

const char *
wf_json_type_name(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return "null";
		case jbvBool:
			return "boolean";
		case jbvNumeric:
			return "number";
		case jbvString:
		case jbvDatetime:
			return "string";
		case jbvArray:
			return "array";
		case jbvObject:
			return "object";
		case jbvBinary:
			return JsonContainerIsObject(value->val.binary.data) ? "object" : "array";
	}
	return "unknown";
}

char *
wf_json_text(const JsonbValue *value)
{
	Jsonb	   *copy;

	if (value->type == jbvBinary)
		return JsonbToCString(NULL, value->val.binary.data, value->val.binary.len);
	copy = wf_json_copy(value);
	return JsonbToCString(NULL, &copy->root, VARSIZE(copy));
}

static Size
string_text_bytes(const char *text, int len)
{
	Size		bytes = 2;

	for (int i = 0; i < len; i++)
	{
		unsigned char c = text[i];

		bytes += c == '"' || c == '\\' || (c >= '\b' && c <= '\r' && c != '\v') ? 2 : c < ' ' ? 6 : 1;
	}
	return bytes;
}

static Size
scalar_text_bytes(const JsonbValue *value)
{
	char	   *text;
	Size		bytes;

	if (value->type == jbvString)
		return string_text_bytes(value->val.string.val, value->val.string.len);
	if (value->type != jbvNumeric)
		return 5;
	text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	bytes = strlen(text);
	pfree(text);
	return bytes;
}

bool
wf_json_text_exceeds(const JsonbValue *value, Size most)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	v;
	Size		bytes = 0;

	if (value->type != jbvBinary)
		return scalar_text_bytes(value) > most;
	/* a number of 10 bytes may have 147,000 digits; nothing grows by more */
	if (value->val.binary.len < most / 20000)
		return false;
	it = JsonbIteratorInit(value->val.binary.data);
	while (bytes <= most && (token = JsonbIteratorNext(&it, &v, false)) != WJB_DONE)
	{
		CHECK_FOR_INTERRUPTS();
		bytes += token == WJB_KEY || token == WJB_VALUE || token == WJB_ELEM ? scalar_text_bytes(&v) + 2 : 1;
	}
	return bytes > most;
}

bool
wf_json_equal(const JsonbValue *a, const JsonbValue *b)
{
	if (a->type == jbvBinary && b->type == jbvBinary)
		return compareJsonbContainers(a->val.binary.data, b->val.binary.data) == 0;
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case jbvNull:
			return true;
		case jbvBool:
			return a->val.boolean == b->val.boolean;
		case jbvString:
			return a->val.string.len == b->val.string.len &&
				memcmp(a->val.string.val, b->val.string.val, a->val.string.len) == 0;
		case jbvNumeric:
			return DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(a->val.numeric),
													NumericGetDatum(b->val.numeric)));
		default:
			{
				Jsonb	   *left = wf_json_copy(a);
				Jsonb	   *right = wf_json_copy(b);

				return compareJsonbContainers(&left->root, &right->root) == 0;
			}
	}
}

Size
wf_json_size(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvBinary:
			return value->val.binary.len + VARHDRSZ;
		case jbvString:
			return value->val.string.len + 12;
		case jbvNumeric:
			return VARSIZE_ANY(value->val.numeric) + 12;
		default:
			return 12;
	}
}
