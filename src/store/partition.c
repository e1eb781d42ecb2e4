/*
 * partition.c: history in time: wf.run, wf.segment and wf.request_log are partitioned by run ids, which begin with the
 * time.
 *
 * 1. The keeper makes partitions ahead, one a week (UTC, from Monday on). The first one begins a minute from now, where
 *    no row can be yet; what comes before, and what comes while no keeper makes partitions, is in the default partition.
 * 2. Inserts (run.c) go to the partition directly. It is found in the descriptor that PostgreSQL keeps of the table, whose
 *    lock is held until the transaction ends: a partition is dropped only with a stronger one.
 * 3. Retention: when nothing in a partition is needed by anybody, it is dropped; else rows are deleted, some at a time. A
 *    run is needed while it is alive, and after its end as long as its tenant keeps runs. So the time that counts is
 *    that of the end, though partitions are by the start.
 * 4. Partitions are made only where there are runs: a dump that is being restored makes its own, before it has rows.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "base/settings.h"
#include "base/text.h"
#include "base/uuid.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "partitioning/partbounds.h"
#include "partitioning/partdesc.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "store/direct.h"
#include "store/runtime.h"
#include "store/statements.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#define WEEK_US (7 * USECS_PER_DAY)
#define WEEKS_AHEAD 2
/* So far from now the first partition begins. */
#define BEGIN_US (60 * USECS_PER_SEC)

static const struct
{
	const char *name;
	const char *key;
}			tables[] = {
	{"run", "tenant_id, run_id"}, {"segment", "tenant_id, run_id, segment"}, {"request_log", "tenant_id, run_id, request_id"}
};

/* -- finding -- */

/* The partition of a table for an id. */
static Oid
leaf_of(Relation table, const pg_uuid_t *run_id)
{
	PartitionKey key = RelationGetPartitionKey(table);
	PartitionDesc partitions = RelationGetPartitionDesc(table, true);
	PartitionBoundInfo bounds = partitions->boundinfo;
	Datum		values[1] = {UUIDPGetDatum(run_id)};
	bool		equal;
	int			place = partition_range_datum_bsearch(key->partsupfunc, key->partcollation, bounds, 1, values, &equal);
	int			index = bounds->indexes[place + 1];

	if (index < 0)
		index = bounds->default_index;
	if (index < 0)
		ereport(ERROR, (errcode(ERRCODE_CHECK_VIOLATION),
						errmsg("table wf.%s has no partition for a run", RelationGetRelationName(table)),
						errhint("Its default partition is missing: attach it again.")));
	return partitions->oids[index];
}

Oid
wf_store_leaf(const char *table, const pg_uuid_t *run_id)
{
	Relation	relation = table_open(wf_store_table(table), AccessShareLock);
	Oid			leaf;
	Oid			again = leaf_of(relation, run_id);

	do
	{
		leaf = again;
		LockRelationOid(leaf, RowExclusiveLock);
		again = leaf_of(relation, run_id);	/* while we waited one may have been attached in front of the default one */
	} while (again != leaf);
	table_close(relation, NoLock);
	return leaf;
}

/* -- making -- */

/* Runs a statement as the session's user: the engine's role owns nothing. */
static void
run_utility(const char *format,...) pg_attribute_printf(1, 2);

static void
run_utility(const char *format,...)
{
	StringInfoData sql;
	int			result;

	initStringInfo(&sql);
	WF_APPEND_ARGS(&sql, format);
	result = SPI_execute(sql.data, false, 0);
	if (result < 0)
		elog(ERROR, "statement failed: %s: %s", SPI_result_code_string(result), sql.data);
	pfree(sql.data);
}

/* The least id of a time, as text. */
static char *
first_id(TimestampTz time, pg_uuid_t *id)
{
	memset(id, 0, sizeof(*id));
	wf_uuid_set_time(id, time);
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
}

/* As part of a name: 20261130_0000. */
static char *
time_name(TimestampTz time)
{
	struct pg_tm tm;
	fsec_t		fsec;

	if (timestamp2tm(time, NULL, &tm, &fsec, NULL, NULL) != 0)
		elog(ERROR, "timestamp out of range");
	return psprintf("%04d%02d%02d_%02d%02d", tm.tm_year, tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min);
}

/* Columns of which a table has no statistics have none in its partitions (sql/parts/55_statistics.sql); LIKE does not copy that. */
static void
copy_statistics_targets(Oid from, const char *to)
{
	Oid			types[1] = {OIDOID};
	Datum		values[1] = {ObjectIdGetDatum(from)};
	char	   *changes = NULL;

	if (SPI_execute_with_args("SELECT pg_catalog.string_agg(pg_catalog.format('ALTER COLUMN %I SET STATISTICS 0', attname), ', ')"
							  " FROM pg_catalog.pg_attribute WHERE attrelid OPERATOR(pg_catalog.=) $1"
							  " AND attnum OPERATOR(pg_catalog.>) 0 AND attstattarget OPERATOR(pg_catalog.=) 0",
							  1, types, values, NULL, true, 1) == SPI_OK_SELECT)
		changes = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (changes != NULL)
		run_utility("ALTER TABLE %s %s", to, changes);
}

/* Makes the partitions of all tables for a range of time. */
static void
make_partition(TimestampTz from, TimestampTz to)
{
	for (int i = 0; i < lengthof(tables); i++)
	{
		const char *name = psprintf("wf.%s_%s", tables[i].name, time_name(from));
		Relation	table = table_open(wf_store_table(tables[i].name), ShareUpdateExclusiveLock);
		const char *owner = quote_identifier(GetUserNameFromId(table->rd_rel->relowner, false));
		Relation	defaults = table_open(wf_store_table(psprintf("%s_default", tables[i].name)), AccessShareLock);
		int			target = RelationGetToastTupleTarget(defaults, 0);
		pg_uuid_t	low;
		pg_uuid_t	high;
		Oid			parent = RelationGetRelid(table);

		table_close(defaults, AccessShareLock);
		table_close(table, NoLock);
		run_utility("CREATE TABLE %s (LIKE wf.%s INCLUDING STORAGE INCLUDING COMPRESSION) WITH (toast_tuple_target = %d)",
					name, tables[i].name, target);
		run_utility("ALTER TABLE %s OWNER TO %s", name, owner);
		run_utility("ALTER TABLE %s ADD PRIMARY KEY (%s)", name, tables[i].key);
		run_utility("ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY", name);
		run_utility("REVOKE ALL ON %s FROM PUBLIC", name);
		copy_statistics_targets(parent, name);
		run_utility("COMMENT ON TABLE %s IS 'a partition of wf.%s'", name, tables[i].name);
		run_utility("ALTER TABLE wf.%s ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s')", tables[i].name, name,
					first_id(from, &low), first_id(to, &high));
	}
}

/* The end of the last partition; 0: there is none but the default one. Times of ranges, in pairs, when asked for. */
static TimestampTz
last_end(List **ranges)
{
	Relation	table = table_open(wf_store_table("run"), AccessShareLock);
	PartitionBoundInfo bounds = RelationGetPartitionDesc(table, true)->boundinfo;
	TimestampTz end = 0;

	/* bounds of ranges that meet are there once; index i says what lies below bound i */
	for (int i = 0; i < bounds->ndatums; i++)
	{
		TimestampTz high;
		TimestampTz *range;

		if (bounds->kind[i][0] != PARTITION_RANGE_DATUM_VALUE)
			continue;
		high = wf_uuid_time(DatumGetUUIDP(bounds->datums[i][0]));
		if (i > 0 && bounds->indexes[i] >= 0 && ranges != NULL &&
			bounds->kind[i - 1][0] == PARTITION_RANGE_DATUM_VALUE)
		{
			range = palloc(sizeof(TimestampTz) * 2);
			range[0] = wf_uuid_time(DatumGetUUIDP(bounds->datums[i - 1][0]));
			range[1] = high;
			*ranges = lappend(*ranges, range);
		}
		end = Max(end, high);
	}
	table_close(table, NoLock);
	return end;
}

/*
 * Locks are not waited for long: whoever reads history would wait behind us. And for less than deadlock_timeout: a reader who
 * has one of the tables and waits for the other, while we have that and wait for the first, must not be the one who fails.
 */
static void
be_impatient(void)
{
	(void) set_config_option("lock_timeout", psprintf("%d", Max(DeadlockTimeout / 4, 1)), PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
}

/* What a statement says that gives one bool. */
static bool
ask(WfStatementId id, Datum *values)
{
	bool		answer;

	wf_store_execute(id, values, NULL);
	answer = wf_store_bool(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return answer;
}

int
wf_store_make_partitions(TimestampTz now)
{
	/* times count from 2000-01-01, a Saturday */
	const TimestampTz monday = 2 * USECS_PER_DAY;
	TimestampTz from = last_end(NULL);
	TimestampTz until = now + WEEKS_AHEAD * WEEK_US;
	int			n = 0;

	if (from >= until || !ask(WF_SQL_HAS_RUNS, NULL))
		return 0;
	be_impatient();
	/* seconds of a name would be too fine; the default partition has what lies in between */
	from = Max(from, (now + 2 * BEGIN_US) / BEGIN_US * BEGIN_US);
	while (from < until)
	{
		TimestampTz to = (from - monday) / WEEK_US * WEEK_US + monday + WEEK_US;

		make_partition(from, to);
		from = to;
		n++;
	}
	return n;
}

/* -- retention -- */

typedef struct Keeping
{
	pg_uuid_t	tenant_id;
	int64		ms;				/* 0: for ever */
} Keeping;

/* How long each tenant keeps its runs (Keeping *). */
static List *
keepings(void)
{
	uint64		n = wf_store_execute(WF_SQL_RETENTIONS, NULL, NULL);
	List	   *all = NIL;

	for (uint64 i = 0; i < n; i++)
	{
		Keeping    *keeping = palloc(sizeof(Keeping));
		char	   *text = wf_store_text(i, 2);

		wf_store_uuid(i, 1, &keeping->tenant_id);
		if (text == NULL || !wf_text_duration_ms(text, &keeping->ms))
			keeping->ms = (int64) wf_setting_retention * 60 * 1000;
		all = lappend(all, keeping);
	}
	SPI_freetuptable(SPI_tuptable);
	return all;
}

/*
 * Drops partitions, unless something in them is needed by now, or somebody is at it; false then, and an error when a lock is
 * not to be had soon. Once the tables are locked no wf_retry can take a run out unseen. Anybody can make a view of a partition,
 * which nobody can read, or a column of its row's type: those go with it, lest history be kept for ever by them.
 */
static bool
drop_leaves(const Oid *leaves, Datum *values)
{
	be_impatient();
	for (int i = 0; i < lengthof(tables); i++)
	{
		LockRelationOid(wf_store_table(tables[i].name), AccessExclusiveLock);
		LockRelationOid(leaves[i], AccessExclusiveLock);
	}
	if (!ask(WF_SQL_HOLD_RANGE, values) || ask(WF_SQL_RANGE_IS_NEEDED, values))
		return false;
	wf_store_execute(WF_SQL_CLEAR_RANGE, values, NULL);
	for (int i = 0; i < lengthof(tables); i++)
		run_utility("DROP TABLE wf.%s CASCADE", quote_identifier(get_rel_name(leaves[i])));
	return true;
}

/* The same in a subtransaction, so that locks are given back; what cannot be done now is left for another time (false). */
static bool
try_to_drop(const Oid *leaves, Datum *values)
{
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool dropped = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(memory);
	PG_TRY();
	{
		dropped = drop_leaves(leaves, values);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(memory);
		if (geterrcode() != ERRCODE_LOCK_NOT_AVAILABLE)
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	if (dropped)
		ReleaseCurrentSubTransaction();
	else
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
	return dropped;
}

/* Drops the partition of a range when everything in it ended before `before` and nothing is alive. False: somebody is at it. */
static bool
drop_range(const TimestampTz *range, TimestampTz before)
{
	pg_uuid_t	low = {0};
	pg_uuid_t	high = {0};
	Datum		values[3] = {UUIDPGetDatum(&low), UUIDPGetDatum(&high), TimestampTzGetDatum(before)};
	Oid			leaves[lengthof(tables)];

	(void) first_id(range[0], &low);
	(void) first_id(range[1], &high);
	if (ask(WF_SQL_RANGE_IS_NEEDED, values))
		return true;
	for (int i = 0; i < lengthof(tables); i++)
	{
		leaves[i] = wf_store_leaf(tables[i].name, &low);
		if (leaves[i] == wf_store_table(psprintf("%s_default", tables[i].name)))
			return true;
	}
	return try_to_drop(leaves, values);
}

int
wf_store_expire(TimestampTz now, int most)
{
	List	   *all = keepings();
	List	   *ranges = NIL;
	int64		longest_ms = 0;
	bool		for_ever = all == NIL;
	int			n = 0;
	ListCell   *cell;

	foreach(cell, all)
	{
		longest_ms = Max(longest_ms, ((Keeping *) lfirst(cell))->ms);
		for_ever |= ((Keeping *) lfirst(cell))->ms == 0;
	}
	if (!for_ever)
	{
		(void) last_end(&ranges);
		foreach(cell, ranges)
			if (((TimestampTz *) lfirst(cell))[1] < now - longest_ms * 1000 &&
				!drop_range(lfirst(cell), now - longest_ms * 1000))
				break;			/* the tables are the same for all: others would wait for us again and again */
	}
	foreach(cell, all)
	{
		Keeping    *keeping = lfirst(cell);
		TimestampTz before = now - keeping->ms * 1000;
		pg_uuid_t	high = {0};
		Datum		values[4] = {UUIDPGetDatum(&keeping->tenant_id), UUIDPGetDatum(&high), TimestampTzGetDatum(before),
		Int32GetDatum(most - n)};

		if (keeping->ms == 0 || n >= most)
			continue;
		(void) first_id(before, &high);
		n += (int) wf_store_execute(WF_SQL_EXPIRE_RUNS, values, NULL);
	}
	return n;
}
