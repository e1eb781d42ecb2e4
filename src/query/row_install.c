/*
 * row_install.c: the PostgreSQL triggers of a `trigger.row` node: made, compared, dropped, found.
 *
 * One trigger an event, because UPDATE OF, WHEN and transition tables differ by event:
 *
 *		wf_<node>_<hash>_<event>
 *
 * with as much of the node's id as there is room for and 64 bits of a hash of the workflow's id and the node's. They are known by that
 * name, on the table that was found when the version was saved: a renamed table keeps them. Partitions get theirs from PostgreSQL,
 * which also sees to those that are attached and detached later.
 *
 * Creating goes through SPI, so that privileges are checked, event triggers fire, and the log shows what was done. Dropping does
 * not: a workflow may be paused by who never had a privilege on the table. Before a trigger is replaced
 * it is compared with what it would be, the WHEN clause as a tree, since an activation that changes nothing
 * should not wait for the table's writers. For that a lock is held that disturbs nobody, and given back before any other is
 * taken: to make a held lock stronger is how two activations would meet in a deadlock.
 */
#include "query/internal.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "base/crypt.h"
#include "base/text.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_description.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/comment.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parse_clause.h"
#include "parser/parse_collate.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "query/row_trigger.h"
#include "query/when.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#define OLD_ROWS "wf_old"
#define NEW_ROWS "wf_new"

static const char *const event_words[] = {"insert", "update", "delete", "truncate"};

/* -- names -- */

void
wf_query_row_name(const pg_uuid_t *workflow, const char *node, WfRowEvent event, char *out)
{
	StringInfoData key;
	uint8		hash[WF_CRYPT_HASH_BYTES];
	char	   *hex;
	int			room;

	initStringInfo(&key);
	appendBinaryStringInfo(&key, (const char *) workflow->data, UUID_LEN);
	appendStringInfoString(&key, node);
	if (!wf_crypt_sha256(key.data, key.len, hash))
		elog(ERROR, "could not compute a hash");
	pfree(key.data);
	hex = wf_text_hex(hash, 8);
	room = NAMEDATALEN - 1 - (int) (strlen("wf___") + strlen(hex) + strlen(event_words[event]));
	snprintf(out, NAMEDATALEN, "wf_%.*s_%s_%s", pg_mbcliplen(node, strlen(node), room), node, hex, event_words[event]);
	pfree(hex);
}

/* -- looking -- */

/* The function that our triggers call; InvalidOid when it is not there. */
static Oid
our_function(void)
{
	Oid			namespace = get_namespace_oid("wf", true);
	oidvector  *none = buildoidvector(NULL, 0);

	return !OidIsValid(namespace) ? InvalidOid :
		GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum("row_trigger"), PointerGetDatum(none),
						ObjectIdGetDatum(namespace));
}

/* A copy of the trigger's row, or NULL: there is none, or it is somebody else's. */
static HeapTuple
find_trigger(Oid relid, const char *name)
{
	Relation	pg_trigger = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	ScanKeyInit(&keys[1], Anum_pg_trigger_tgname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum(name));
	scan = systable_beginscan(pg_trigger, TriggerRelidNameIndexId, true, NULL, 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	table_close(pg_trigger, AccessShareLock);
	if (HeapTupleIsValid(tuple) && ((Form_pg_trigger) GETSTRUCT(tuple))->tgfoid != our_function())
		return NULL;
	return tuple;
}

void
wf_query_row_find(Oid relid, const pg_uuid_t *workflow, const char *node, WfRowState *out)
{
	const char *table = OidIsValid(relid) ? get_rel_name(relid) : NULL;
	const char *schema = table != NULL ? get_namespace_name(get_rel_namespace(relid)) : NULL;
	char		name[NAMEDATALEN];

	memset(out, 0, sizeof(WfRowState));
	if (schema == NULL)
		return;
	out->table = quote_qualified_identifier(schema, table);
	for (int i = 0; i < WF_ROW_EVENTS; i++)
	{
		HeapTuple	tuple;

		wf_query_row_name(workflow, node, (WfRowEvent) i, name);
		tuple = find_trigger(relid, name);
		if (tuple == NULL)
			continue;
		out->installed |= WF_ROW_BIT(i);
		if (((Form_pg_trigger) GETSTRUCT(tuple))->tgenabled == TRIGGER_DISABLED)
			out->disabled |= WF_ROW_BIT(i);
		heap_freetuple(tuple);
	}
}

/* -- what a trigger should be -- */

static void
append_columns(StringInfo sql, const WfRowConfig *config)
{
	for (int i = 0; i < config->n_columns; i++)
		appendStringInfo(sql, "%s %s", i > 0 ? "," : " OF", quote_identifier(config->columns[i]));
}

static void
append_transition(StringInfo sql, WfRowEvent event)
{
	appendStringInfoString(sql, " REFERENCING");
	if (wf_query_row_has_old(event))
		appendStringInfoString(sql, " OLD TABLE AS " OLD_ROWS);
	if (wf_query_row_has_new(event))
		appendStringInfoString(sql, " NEW TABLE AS " NEW_ROWS);
}

static void
append_when(StringInfo sql, const WfRowConfig *config, Oid relid, WfRowEvent event)
{
	WfWhen		when;

	if (config->when == NULL)
		return;
	wf_query_when(config->when, relid, event, config->by_statement || event == WF_ROW_TRUNCATE, &when);
	if (when.sql != NULL)
		appendStringInfo(sql, " WHEN (%s)", when.sql);
	else if (!when.constant)
		appendStringInfoString(sql, " WHEN (FALSE)");
}

/* The statement that makes the trigger; NULL when the table is gone. */
static char *
make_statement(Oid relid, const WfRowConfig *config, const WfRowOwner *owner, WfRowEvent event, const char *name)
{
	const char *table = get_rel_name(relid);
	const char *schema = table != NULL ? get_namespace_name(get_rel_namespace(relid)) : NULL;
	bool		is_view = get_rel_relkind(relid) == RELKIND_VIEW;
	bool		by_statement = config->by_statement || event == WF_ROW_TRUNCATE;
	StringInfoData sql;

	if (schema == NULL)
		return NULL;
	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE OR REPLACE TRIGGER %s %s %s", quote_identifier(name), is_view ? "INSTEAD OF" : "AFTER",
					 wf_query_row_op(event));
	if (event == WF_ROW_UPDATE && !is_view)
		append_columns(&sql, config);
	appendStringInfo(&sql, " ON %s", quote_qualified_identifier(schema, table));
	if (config->by_statement && event != WF_ROW_TRUNCATE)
		append_transition(&sql, event);
	appendStringInfo(&sql, " FOR EACH %s", by_statement ? "STATEMENT" : "ROW");
	if (!is_view)
		append_when(&sql, config, relid, event);
	appendStringInfo(&sql, " EXECUTE FUNCTION wf.row_trigger(%s, ",
					 quote_literal_cstr(DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&owner->tenant)))));
	appendStringInfo(&sql, "%s, ",
					 quote_literal_cstr(DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&owner->workflow)))));
	appendStringInfo(&sql, "%s)", quote_literal_cstr(owner->node));
	return sql.data;
}

/* -- is a trigger what it should be? -- */

/* The WHEN clause as CREATE TRIGGER makes it. */
static Node *
analyze_when(Relation relation, Node *clause)
{
	ParseState *pstate;
	Node	   *when;

	if (clause == NULL)
		return NULL;
	pstate = make_parsestate(NULL);
	addNSItemToQuery(pstate, addRangeTableEntryForRelation(pstate, relation, AccessShareLock, makeAlias("old", NIL), false, false),
					 false, true, true);
	addNSItemToQuery(pstate, addRangeTableEntryForRelation(pstate, relation, AccessShareLock, makeAlias("new", NIL), false, false),
					 false, true, true);
	when = transformWhereClause(pstate, copyObject(clause), EXPR_KIND_TRIGGER_WHEN, "WHEN");
	assign_expr_collations(pstate, when);
	free_parsestate(pstate);
	return when;
}

static Datum
member_of(Relation pg_trigger, HeapTuple tuple, AttrNumber number, bool *is_null)
{
	return heap_getattr(tuple, number, RelationGetDescr(pg_trigger), is_null);
}

static bool
same_when(Relation pg_trigger, HeapTuple tuple, Relation relation, Node *clause)
{
	bool		is_null;
	Datum		is = member_of(pg_trigger, tuple, Anum_pg_trigger_tgqual, &is_null);

	if (is_null || clause == NULL)
		return is_null && clause == NULL;
	return equal(stringToNode(TextDatumGetCString(is)), analyze_when(relation, clause));
}

static bool
same_arguments(Relation pg_trigger, HeapTuple tuple, List *wanted)
{
	bool		is_null;
	bytea	   *is = DatumGetByteaPP(member_of(pg_trigger, tuple, Anum_pg_trigger_tgargs, &is_null));
	StringInfoData all;
	ListCell   *cell;

	if (is_null || ((Form_pg_trigger) GETSTRUCT(tuple))->tgnargs != list_length(wanted))
		return false;
	initStringInfo(&all);
	foreach(cell, wanted)
		appendBinaryStringInfo(&all, strVal(lfirst(cell)), strlen(strVal(lfirst(cell))) + 1);
	return all.len == VARSIZE_ANY_EXHDR(is) && memcmp(all.data, VARDATA_ANY(is), all.len) == 0;
}

static bool
same_columns(HeapTuple tuple, Oid relid, List *wanted)
{
	int2vector *is = &((Form_pg_trigger) GETSTRUCT(tuple))->tgattr;
	ListCell   *cell;
	int			i = 0;

	if (is->dim1 != list_length(wanted))
		return false;
	foreach(cell, wanted)
		if (is->values[i++] != get_attnum(relid, strVal(lfirst(cell))))
			return false;
	return true;
}

static bool
same_transition(Relation pg_trigger, HeapTuple tuple, List *wanted)
{
	bool		has_old = false;
	bool		has_new = false;
	bool		no_old;
	bool		no_new;
	ListCell   *cell;

	foreach(cell, wanted)
	{
		if (lfirst_node(TriggerTransition, cell)->isNew)
			has_new = true;
		else
			has_old = true;
	}
	member_of(pg_trigger, tuple, Anum_pg_trigger_tgoldtable, &no_old);
	member_of(pg_trigger, tuple, Anum_pg_trigger_tgnewtable, &no_new);
	return has_old == !no_old && has_new == !no_new;
}

static int16
type_of(const CreateTrigStmt *statement)
{
	return statement->events | statement->timing | (statement->row ? TRIGGER_TYPE_ROW : 0);
}

/* The trigger is there, and is what the statement would make of it. */
static bool
is_as_wanted(Oid relid, HeapTuple tuple, const char *sql)
{
	CreateTrigStmt *wanted = castNode(CreateTrigStmt, linitial_node(RawStmt, raw_parser(sql, RAW_PARSE_DEFAULT))->stmt);
	Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);
	Relation	relation = try_table_open(relid, AccessShareLock);
	Relation	pg_trigger;
	bool		result;

	if (relation == NULL)
		return false;
	pg_trigger = table_open(TriggerRelationId, AccessShareLock);
	result = form->tgtype == type_of(wanted) && !form->tgisinternal && !OidIsValid(form->tgconstraint) &&
		same_arguments(pg_trigger, tuple, wanted->args) && same_columns(tuple, relid, wanted->columns) &&
		same_transition(pg_trigger, tuple, wanted->transitionRels) &&
		same_when(pg_trigger, tuple, relation, wanted->whenClause);
	table_close(pg_trigger, AccessShareLock);
	table_close(relation, AccessShareLock);
	return result;
}

/* -- making -- */

pg_noreturn static void
table_is_gone(const WfRowConfig *config)
{
	ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
					errmsg("table \"%s\" does not exist", wf_text_clip(config->table))));
}

static void
run_statement(const char *sql)
{
	int			result = SPI_execute(sql, false, 0);

	if (result != SPI_OK_UTILITY)
		elog(ERROR, "SPI_execute failed: %s", SPI_result_code_string(result));
}

/* When it fires; a DBA's DISABLE and ENABLE REPLICA stay. */
static void
set_firing(Oid relid, const char *name, char before, bool replica)
{
	char		wanted = before == TRIGGER_DISABLED || before == TRIGGER_FIRES_ON_REPLICA ? before :
		replica ? TRIGGER_FIRES_ALWAYS : TRIGGER_FIRES_ON_ORIGIN;
	HeapTuple	tuple = find_trigger(relid, name);
	Relation	relation;

	if (tuple == NULL || ((Form_pg_trigger) GETSTRUCT(tuple))->tgenabled == wanted)
		return;
	relation = table_open(relid, ShareRowExclusiveLock);
	wf_compat_enable_trigger(relation, name, wanted, ShareRowExclusiveLock);
	table_close(relation, NoLock);
	CommandCounterIncrement();
}

static void
set_comment(Oid relid, const char *name, const WfRowOwner *owner)
{
	HeapTuple	tuple = find_trigger(relid, name);
	char	   *comment = psprintf("workflow \"%s\", node \"%s\"", owner->name, owner->node);
	char	   *before;
	Oid			oid;

	if (tuple == NULL)
		return;
	oid = ((Form_pg_trigger) GETSTRUCT(tuple))->oid;
	before = GetComment(oid, TriggerRelationId, 0);
	if (before == NULL || strcmp(before, comment) != 0)
	{
		CreateComments(oid, TriggerRelationId, 0, comment);
		CommandCounterIncrement();
	}
}

static void
install_event(Oid relid, const WfRowConfig *config, const WfRowOwner *owner, WfRowEvent event)
{
	char		name[NAMEDATALEN];
	char	   *sql;
	HeapTuple	tuple;
	char		before;

	wf_query_row_name(&owner->workflow, owner->node, event, name);
	sql = make_statement(relid, config, owner, event, name);
	if (sql == NULL)
		table_is_gone(config);
	tuple = find_trigger(relid, name);
	before = tuple != NULL ? ((Form_pg_trigger) GETSTRUCT(tuple))->tgenabled : TRIGGER_FIRES_ON_ORIGIN;
	if (tuple == NULL || !is_as_wanted(relid, tuple, sql))
	{
		/* who may not create has no business locking */
		if (pg_class_aclcheck(relid, GetUserId(), ACL_TRIGGER) == ACLCHECK_OK)
			LockRelationOid(relid, ShareRowExclusiveLock);
		sql = make_statement(relid, config, owner, event, name);
		if (sql == NULL)
			table_is_gone(config);
		run_statement(sql);
	}
	set_firing(relid, name, before, config->replica);
	set_comment(relid, name, owner);
}

/* -- dropping -- */

static void
remove_events(Oid relid, uint32 events, const pg_uuid_t *workflow, const char *node)
{
	char		name[NAMEDATALEN];
	bool		locked = false;

	for (int i = 0; i < WF_ROW_EVENTS; i++)
	{
		HeapTuple	tuple;
		ObjectAddress trigger;

		wf_query_row_name(workflow, node, (WfRowEvent) i, name);
		tuple = (events & WF_ROW_BIT(i)) ? find_trigger(relid, name) : NULL;
		if (tuple == NULL)
			continue;
		if (!locked)
		{
			LockRelationOid(relid, AccessExclusiveLock);
			locked = true;
			tuple = find_trigger(relid, name);
			if (tuple == NULL)
				continue;		/* the table went while we waited, or the trigger */
		}
		ObjectAddressSet(trigger, TriggerRelationId, ((Form_pg_trigger) GETSTRUCT(tuple))->oid);
		performDeletion(&trigger, DROP_RESTRICT, 0);
		CommandCounterIncrement();
	}
}

void
wf_query_row_remove(Oid relid, const pg_uuid_t *workflow, const char *node)
{
	if (OidIsValid(relid))
		remove_events(relid, PG_UINT32_MAX, workflow, node);
}

void
wf_query_row_remove_others(Oid relid, const WfRowConfig *config, const pg_uuid_t *workflow, const char *node)
{
	remove_events(relid, ~config->events, workflow, node);
}

void
wf_query_row_install(Oid relid, const WfRowConfig *config, const WfRowOwner *owner)
{
	MemoryContext memory = CurrentMemoryContext;
	int			level;

	/* first, as it takes the strongest lock */
	wf_query_row_remove_others(relid, config, &owner->workflow, owner->node);
	level = wf_query_push_search_path("pg_catalog");
	for (int i = 0; i < WF_ROW_EVENTS; i++)
		if (config->events & WF_ROW_BIT(i))
		{
			install_event(relid, config, owner, (WfRowEvent) i);
			MemoryContextSwitchTo(memory);
		}
	AtEOXact_GUC(true, level);
}

/* -- firing -- */

bool
wf_query_row_is_genuine(const TriggerData *data, Oid relid, const WfRowConfig *config, const pg_uuid_t *workflow,
						const char *node)
{
	WfRowEvent	event = wf_query_row_event(data);
	Oid			fired_on = RelationGetRelid(data->tg_relation);
	char		name[NAMEDATALEN];

	if (!(config->events & WF_ROW_BIT(event)) || TRIGGER_FIRED_BEFORE(data->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(data->tg_event) != !(config->by_statement || event == WF_ROW_TRUNCATE))
		return false;
	wf_query_row_name(workflow, node, event, name);
	if (strcmp(data->tg_trigger->tgname, name) != 0)
		return false;
	if (fired_on == relid)
		return !data->tg_trigger->tgisclone;
	return data->tg_trigger->tgisclone && data->tg_relation->rd_rel->relispartition &&
		list_member_oid(get_partition_ancestors(fired_on), relid);
}

bool
wf_query_row_needs_when(const WfRowConfig *config, Oid relid, WfRowEvent event)
{
	WfWhen		when;

	if (config->when == NULL)
		return false;
	wf_query_when(config->when, relid, event, config->by_statement || event == WF_ROW_TRUNCATE, &when);
	return !when.exact || get_rel_relkind(relid) == RELKIND_VIEW;
}
