/*
 * mask_test.c: what tests and the bench need of mask.c; compiled with WF_TESTING only.
 */
#include "postgres.h"

#ifdef WF_TESTING

#include "base/clock.h"
#include "base/compat.h"
#include "catalog/pg_type.h"
#include "dispatch/mask.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

static WfSecretValue *
values_of(ArrayType *array, int *n)
{
	WfSecretValue *values;
	Datum	   *texts;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &texts, NULL, n);
	values = palloc0(sizeof(WfSecretValue) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		values[i].name = "x";
		values[i].value = TextDatumGetCString(texts[i]);
		values[i].len = strlen(values[i].value);
	}
	return values;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_mask);

/* mask(values text[], text text) -> text */
Datum
wf_sql_test_mask(PG_FUNCTION_ARGS)
{
	int			n;
	WfSecretValue *values = values_of(PG_GETARG_ARRAYTYPE_P(0), &n);
	WfMask	   *mask = wf_mask_make(values, n, NULL);
	char	   *body = text_to_cstring(PG_GETARG_TEXT_PP(1));

	PG_RETURN_TEXT_P(cstring_to_text_with_len(body, wf_mask_bytes(mask, body, strlen(body))));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_mask_json);

/* mask_json(values text[], json jsonb) -> jsonb */
Datum
wf_sql_test_mask_json(PG_FUNCTION_ARGS)
{
	int			n;
	WfSecretValue *values = values_of(PG_GETARG_ARRAYTYPE_P(0), &n);

	PG_RETURN_JSONB_P(wf_mask_json(wf_mask_make(values, n, NULL), PG_GETARG_JSONB_P(1)));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_mask_bench);

/* mask_bench(values text[], body text, times int) -> float8: microseconds that making a mask and looking through the body take */
Datum
wf_sql_test_mask_bench(PG_FUNCTION_ARGS)
{
	int			n;
	WfSecretValue *values = values_of(PG_GETARG_ARRAYTYPE_P(0), &n);
	char	   *body = text_to_cstring(PG_GETARG_TEXT_PP(1));
	size_t		bytes = strlen(body);
	int			times = PG_GETARG_INT32(2);
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "mask", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	TimestampTz begun = wf_clock_now();

	for (int i = 0; i < times; i++)
	{
		if (wf_mask_finds(wf_mask_make(values, n, NULL), body, bytes))
			elog(ERROR, "the body has one of the values");
		MemoryContextReset(memory);
	}
	MemoryContextSwitchTo(old);
	PG_RETURN_FLOAT8((double) (wf_clock_now() - begun) / times);
}

#endif
