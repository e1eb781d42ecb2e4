/*
 * emit.c: one value of a PostgreSQL type as JSON, as to_jsonb gives it.
 *
 * The types that most columns have take a short way. Numbers of float4 and float8 are always whole: to_jsonb drops digits where
 * extra_float_digits is below 1, and then what a row is depends on who looks at it.
 */
#include "query/internal.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

static void
emit_numeric(WfQueryType *type, Datum value, JsonbValue *out)
{
	Numeric		number = DatumGetNumeric(value);

	if (numeric_is_nan(number) || numeric_is_inf(number))
	{
		char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));

		wf_json_set_string(out, text, strlen(text));
		return;
	}
	out->type = jbvNumeric;
	out->val.numeric = number;
}

/* Its shortest text that is no other number's, whatever extra_float_digits says. */
static void
emit_float(Oid type, Datum value, JsonbValue *out)
{
	char	   *text = palloc(DOUBLE_SHORTEST_DECIMAL_LEN);
	double		number = type == FLOAT4OID ? DatumGetFloat4(value) : DatumGetFloat8(value);

	if (isnan(number) || isinf(number))
		text = isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity";
	else if (type == FLOAT4OID)
		float_to_shortest_decimal_buf(DatumGetFloat4(value), text);
	else
		double_to_shortest_decimal_buf(number, text);
	wf_json_set_string(out, text, strlen(text));
	if (!isfinite(number))
		return;
	out->type = jbvNumeric;
	out->val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid),
														   Int32GetDatum(-1)));
}

static void
emit_datetime(Oid type, Datum value, JsonbValue *out)
{
	char	   *text = palloc(MAXDATELEN + 1);

	JsonEncodeDateTime(text, value, type, NULL);
	wf_json_set_string(out, text, strlen(text));
}

/* The value as to_jsonb gives it, borrowed from the Datum or in CurrentMemoryContext. */
void
wf_query_emit(WfQueryType *type, Datum value, JsonbValue *out)
{
	switch (type->emit)
	{
		case WF_EMIT_TEXT:
			{
				struct varlena *text = PG_DETOAST_DATUM_PACKED(value);

				wf_json_set_string(out, VARDATA_ANY(text), VARSIZE_ANY_EXHDR(text));
				return;
			}
		case WF_EMIT_BOOL:
			wf_json_set_bool(out, DatumGetBool(value));
			return;
		case WF_EMIT_INT2:
			wf_json_set_int64(out, DatumGetInt16(value));
			return;
		case WF_EMIT_INT4:
			wf_json_set_int64(out, DatumGetInt32(value));
			return;
		case WF_EMIT_INT8:
			wf_json_set_int64(out, DatumGetInt64(value));
			return;
		case WF_EMIT_NUMERIC:
			emit_numeric(type, value, out);
			return;
		case WF_EMIT_JSONB:
			wf_json_root(DatumGetJsonbP(value), out);
			return;
		case WF_EMIT_UUID:
			{
				char	   *text = DatumGetCString(DirectFunctionCall1(uuid_out, value));

				wf_json_set_string(out, text, strlen(text));
				return;
			}
		case WF_EMIT_DATETIME:
			emit_datetime(type->oid, value, out);
			return;
		case WF_EMIT_FLOAT:
			emit_float(type->oid, value, out);
			return;
		case WF_EMIT_VOID:
			wf_json_set_null(out);
			return;
		case WF_EMIT_ANY:
			wf_json_root(DatumGetJsonbP(FunctionCall1(&type->to_jsonb, value)), out);
			return;
	}
}

void
wf_query_datum_to_json(Datum value, bool is_null, Oid type, JsonbValue *out)
{
	if (is_null)
		wf_json_set_null(out);
	else
		wf_query_emit(wf_query_type(type), value, out);
}
