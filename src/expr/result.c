/*
 * result.c: from a value of the evaluation to one of the caller's: borrowed when it can be, else
 * built once by the writer of base/json.h.
 *
 * The rules are JSON.stringify's: undefined and functions are left out of objects and are null
 * elsewhere; NaN and the infinities are null; a Date is its ISO text; Set and Map are `{}`; a toJSON
 * of one's own is called. A number of the context keeps every digit. A string with U+0000 or a lone
 * surrogate cannot be stored: WF008.
 */
#include "postgres.h"

#include <math.h>

#include "base/settings.h"
#include "expr/internal.h"

/* Throws WF008 when a string cannot be a JSON string of the database. */
static void
check_string(WfEval *ev, const WfValue *string)
{
	const unsigned char *s = (const unsigned char *) string->u.str;

	if (string->flags & WF_S_BORROWED)
		return;					/* came from there */
	wf_expr_spend(ev, string->len >> 4);
	for (uint32 i = 0; i < string->len; i++)
	{
		if (s[i] == 0)
			wf_expr_throw(ev, "result holds the character U+0000, which a string of the database cannot hold");
		if (s[i] == 0xED && i + 1 < string->len && s[i + 1] >= 0xA0)
			wf_expr_throw(ev, "result holds half of a surrogate pair, which a string of the database cannot hold");
	}
}

/* A scalar; false when it is none. Undefined gives null. */
static bool
put_scalar(WfEval *ev, const WfValue *value, JsonbValue *out)
{
	WfValue		text;

	switch (value->tag)
	{
		case WF_V_BOOL:
			wf_json_set_bool(out, value->u.boolean);
			return true;
		case WF_V_NUMBER:
			if (isnan(value->u.number) || isinf(value->u.number))
				wf_json_set_null(out);
			else
			{
				out->type = jbvNumeric;
				out->val.numeric = wf_expr_make_numeric(value->u.number);
			}
			return true;
		case WF_V_NUMERIC:
			out->type = jbvNumeric;
			out->val.numeric = value->u.numeric;
			return true;
		case WF_V_BIGINT:
			wf_expr_throw_hint(ev, "Convert it: String(n) or Number(n).", "a BigInt has no form in JSON");
		case WF_V_STRING:
			check_string(ev, value);
			wf_json_set_string(out, value->u.str, value->len);
			return true;
		case WF_V_DATE:
			if (isnan(*value->u.ms))
			{
				wf_json_set_null(out);
				return true;
			}
			wf_expr_date_text(ev, value, 'j', &text);
			wf_json_set_string(out, text.u.str, text.len);
			return true;
		case WF_V_DATETIME:
			if (!value->u.moment->valid)
			{
				wf_json_set_null(out);
				return true;
			}
			wf_expr_moment_text(ev, value->u.moment, &text);
			wf_json_set_string(out, text.u.str, text.len);
			return true;
		case WF_V_DURATION:
			wf_expr_duration_text(ev, value->u.duration, &text);
			wf_json_set_string(out, text.u.str, text.len);
			return true;
		case WF_V_UNDEFINED:
		case WF_V_HOLE:
		case WF_V_NULL:
		case WF_V_CLOSURE:
		case WF_V_BUILTIN:
		case WF_V_NAMESPACE:
			wf_json_set_null(out);
			return true;
		default:
			return false;
	}
}

/* True for what JSON.stringify leaves out of an object. */
static bool
left_out(const WfValue *value)
{
	return value->tag == WF_V_UNDEFINED || value->tag == WF_V_HOLE || WF_IS_FUNCTION(value) ||
		(value->tag == WF_V_NAMESPACE && value->u.space->call != NULL);
}

/* Replaces an object that has a toJSON function by what that gives. */
static void
apply_to_json(WfEval *ev, WfValue *value)
{
	WfValue		fn;
	WfValue		result;

	if (value->tag == WF_V_OBJECT && wf_expr_get_field(ev, value, "toJSON", &fn) && WF_IS_FUNCTION(&fn))
	{
		wf_expr_call(ev, &fn, value, 0, NULL, &result);
		*value = result;
	}
}

static void
write_value(WfEval *ev, WfJsonWriter *w, const WfValue *value, int depth)
{
	JsonbValue	scalar;
	WfObject   *object;
	WfArray    *array;

	wf_expr_spend(ev, 1);
	if (depth > WF_EXPR_MAX_CALLS)
		wf_expr_over(ev, "expression is nested too deeply");
	wf_expr_check_stack(ev);
	if (put_scalar(ev, value, &scalar))
	{
		wf_expr_put_out(ev, sizeof(JEntry) + (scalar.type == jbvString ? scalar.val.string.len : 8));
		wf_json_put(w, &scalar);
		return;
	}
	switch (value->tag)
	{
		case WF_V_JSON_ARRAY:
		case WF_V_JSON_OBJECT:
			json_of(value, &scalar);
			wf_expr_put_out(ev, value->len);
			wf_expr_spend(ev, value->len >> 6);
			wf_json_put(w, &scalar);
			break;
		case WF_V_OBJECT:
			object = value->u.object;
			wf_json_begin_object(w);
			for (uint32 i = 0; i < object->count; i++)
			{
				WfValue		member;
				WfValue		key;

				wf_expr_object_settle(ev, object);
				member = object->entries[i].value;
				apply_to_json(ev, &member);
				wf_expr_object_settle(ev, object);
				if (left_out(&member))
					continue;
				set_string(&key, object->entries[i].key, object->entries[i].len, 0);
				check_string(ev, &key);
				wf_expr_put_out(ev, key.len + sizeof(JEntry));
				wf_json_key(w, key.u.str, key.len);
				write_value(ev, w, &member, depth + 1);
			}
			wf_json_end_object(w);
			break;
		case WF_V_ARRAY:
			array = value->u.array;
			if (!array->iterator)
			{
				wf_json_begin_array(w);
				for (uint32 i = 0; i < array->count; i++)
				{
					WfValue		member = array->items[i];

					apply_to_json(ev, &member);
					write_value(ev, w, &member, depth + 1);
				}
				wf_json_end_array(w);
				break;
			}
			/* FALLTHROUGH */
		default:
			wf_json_begin_object(w);
			wf_json_end_object(w);
			break;
	}
}

/*
 * The result for the caller: borrowed from the scope, or made in CurrentMemoryContext, never in the
 * arena. Throws WF008, WF009.
 */
void
wf_expr_result(WfEval *ev, const WfValue *value, JsonbValue *out)
{
	WfValue		result = *value;
	WfJsonWriter *w;

	apply_to_json(ev, &result);
	if (put_scalar(ev, &result, out))
	{
		if (out->type == jbvString && !(WF_IS_STRING(&result) && (result.flags & WF_S_BORROWED)))
		{
			char	   *copy = palloc(out->val.string.len + 1);

			memcpy(copy, out->val.string.val, out->val.string.len);
			copy[out->val.string.len] = '\0';
			out->val.string.val = copy;
		}
		return;
	}
	if (result.tag == WF_V_JSON_ARRAY || result.tag == WF_V_JSON_OBJECT)
	{
		json_of(&result, out);
		return;
	}
	w = wf_json_writer_begin();
	write_value(ev, w, &result, 0);
	wf_json_root(wf_json_finish(w), out);
}
