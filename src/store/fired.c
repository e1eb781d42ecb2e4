/*
 * fired.c: what triggers did, from shared memory (base/fired.h) into wf.trigger_stat.
 *
 * Nobody but the keeper writes there, so that a trigger which fires in every transaction has no row that all of them wait for.
 */
#include "postgres.h"

#include "base/fired.h"
#include "catalog/pg_type.h"
#include "store/runtime.h"
#include "store/statements.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

/* A column of n values as an array. */
typedef struct Column
{
	Datum	   *values;
	bool	   *nulls;
	int			n;
} Column;

static Column
column_begin(int n)
{
	return (Column) {.values = palloc(sizeof(Datum) * n), .nulls = palloc0(sizeof(bool) * n)};
}

static void
column_add(Column *column, Datum value, bool is_null)
{
	column->nulls[column->n] = is_null;
	column->values[column->n++] = value;
}

static Datum
column_end(const Column *column, Oid type)
{
	int			lower_bound = 1;
	int			n = column->n;
	int16		length;
	bool		by_value;
	char		align;

	get_typlenbyvalalign(type, &length, &by_value, &align);
	return PointerGetDatum(construct_md_array(column->values, column->nulls, 1, &n, &lower_bound, type, length, by_value, align));
}

enum
{
	TENANT_ID, TRIGGER_ID, FIRED_AT, N_FIRED, FAILED_AT, N_FAILED, CODE, MESSAGE, N_COLUMNS
};

static const Oid types[N_COLUMNS] = {UUIDOID, UUIDOID, TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID, INT8OID, TEXTOID, TEXTOID};

int
wf_store_save_fired(int most)
{
	Column		columns[N_COLUMNS];
	Datum		values[N_COLUMNS];
	WfFired    *fired;
	int			n = wf_fired_take(most, &fired);

	if (n == 0)
		return 0;
	for (int c = 0; c < N_COLUMNS; c++)
		columns[c] = column_begin(n);
	for (int i = 0; i < n; i++)
	{
		column_add(&columns[TENANT_ID], UUIDPGetDatum(&fired[i].tenant_id), false);
		column_add(&columns[TRIGGER_ID], UUIDPGetDatum(&fired[i].trigger_id), false);
		column_add(&columns[FIRED_AT], TimestampTzGetDatum(fired[i].fired_at), fired[i].fired_at == 0);
		column_add(&columns[N_FIRED], Int64GetDatum(fired[i].n_fired), false);
		column_add(&columns[FAILED_AT], TimestampTzGetDatum(fired[i].failed_at), fired[i].failed_at == 0);
		column_add(&columns[N_FAILED], Int64GetDatum(fired[i].n_failed), false);
		column_add(&columns[CODE], CStringGetTextDatum(fired[i].code), false);
		column_add(&columns[MESSAGE], CStringGetTextDatum(fired[i].message), false);
	}
	for (int c = 0; c < N_COLUMNS; c++)
		values[c] = column_end(&columns[c], types[c]);
	wf_store_execute(WF_SQL_SAVE_FIRED, values, NULL);
	return n;
}

void
wf_store_prune_fired(void)
{
	wf_store_execute(WF_SQL_PRUNE_FIRED, NULL, NULL);
}
