/*
 * command.c: commands that our processes must know of: the hooks.
 *
 * 1. A command that needs a database to be empty of sessions (DROP DATABASE, RENAME, SET TABLESPACE, CREATE DATABASE
 *    ... TEMPLATE) first stops our processes in it and keeps them out until it has ended.
 * 2. DROP and ALTER EXTENSION workflow do the same until their transaction ends, so that no worker is in the way of their
 *    locks, nor they in the worker's.
 * 3. The launcher learns at commit that a database may have come to have the extension; the keeper, that it was
 *    dropped, that rows were copied into our tables (a restore), or that a prepared transaction has committed.
 *
 * Whoever may not execute the command stops nothing. The hooks exist only when the library is preloaded, in all sessions then.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/compat.h"
#include "base/process.h"
#include "base/wake.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"
#include "worker/worker.h"

#define STOP_TIMEOUT_MS 10000

static ProcessUtility_hook_type previous_utility = NULL;
static object_access_hook_type previous_access = NULL;

/* -- which database has to be empty -- */

static Oid
owned_database(const char *name)
{
	Oid			database = name == NULL ? InvalidOid : get_database_oid(name, true);

	return OidIsValid(database) && wf_compat_owns_database(database, GetUserId()) ? database : InvalidOid;
}

/* The template, if the user may copy it. */
static Oid
template_database(const CreatedbStmt *stmt)
{
	const char *name = "template1";
	Oid			database;
	HeapTuple	tuple;
	bool		is_template;
	ListCell   *lc;

	foreach(lc, stmt->options)
	{
		DefElem    *option = lfirst(lc);

		if (strcmp(option->defname, "template") == 0 && option->arg != NULL)
			name = defGetString(option);
	}
	database = get_database_oid(name, true);
	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	is_template = ((Form_pg_database) GETSTRUCT(tuple))->datistemplate;
	ReleaseSysCache(tuple);
	if (wf_compat_owns_database(database, GetUserId()) || (is_template && have_createdb_privilege()))
		return database;
	return InvalidOid;
}

static Oid
moved_database(const AlterDatabaseStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->options)
		if (strcmp(((DefElem *) lfirst(lc))->defname, "tablespace") == 0)
			return owned_database(stmt->dbname);
	return InvalidOid;
}

static bool
owns_extension(void)
{
	Oid			extension = get_extension_oid("workflow", true);

	return OidIsValid(extension) && wf_compat_owns_extension(extension, GetUserId());
}

static bool
drops_extension(const DropStmt *stmt)
{
	ListCell   *lc;

	if (stmt->removeType != OBJECT_EXTENSION)
		return false;
	foreach(lc, stmt->objects)
		if (strcmp(strVal(lfirst(lc)), "workflow") == 0)
			return owns_extension();
	return false;
}

/* The database that the command needs empty, until it ends (*for_transaction: until its transaction does). */
static Oid
database_to_empty(const Node *stmt, bool *for_transaction)
{
	*for_transaction = false;
	switch (nodeTag(stmt))
	{
		case T_DropdbStmt:
			return owned_database(((const DropdbStmt *) stmt)->dbname);
		case T_CreatedbStmt:
			return template_database((const CreatedbStmt *) stmt);
		case T_RenameStmt:
			if (((const RenameStmt *) stmt)->renameType == OBJECT_DATABASE)
				return owned_database(((const RenameStmt *) stmt)->subname);
			return InvalidOid;
		case T_AlterDatabaseStmt:
			return moved_database((const AlterDatabaseStmt *) stmt);
		case T_DropStmt:
			*for_transaction = true;
			return drops_extension((const DropStmt *) stmt) ? MyDatabaseId : InvalidOid;
		case T_AlterExtensionStmt:
			*for_transaction = true;
			return strcmp(((const AlterExtensionStmt *) stmt)->extname, "workflow") == 0 && owns_extension() ?
				MyDatabaseId : InvalidOid;
		default:
			return InvalidOid;
	}
}

/* -- the hooks -- */

static void
note_consequences(const Node *stmt)
{
	if (IsA(stmt, CreatedbStmt) || IsA(stmt, AlterDatabaseStmt) ||
		(IsA(stmt, RenameStmt) && ((const RenameStmt *) stmt)->renameType == OBJECT_DATABASE))
		wf_wake_launcher_at_commit(InvalidOid);
	else if (IsA(stmt, CopyStmt))
	{
		const CopyStmt *copy = (const CopyStmt *) stmt;

		if (copy->is_from && copy->relation != NULL && copy->relation->schemaname != NULL &&
			strcmp(copy->relation->schemaname, "wf") == 0)
			wf_wake_look_at_commit();
	}
}

static void
on_utility(PlannedStmt *planned, const char *text, bool read_only_tree, ProcessUtilityContext context,
		   ParamListInfo params, QueryEnvironment *environment, DestReceiver *to, QueryCompletion *completion)
{
	ProcessUtility_hook_type next = previous_utility != NULL ? previous_utility : standard_ProcessUtility;
	Node	   *stmt = planned->utilityStmt;
	bool		ends_prepared = IsA(stmt, TransactionStmt) &&
		(((TransactionStmt *) stmt)->kind == TRANS_STMT_COMMIT_PREPARED ||
		 ((TransactionStmt *) stmt)->kind == TRANS_STMT_ROLLBACK_PREPARED);
	bool		for_transaction;
	Oid			database = database_to_empty(stmt, &for_transaction);

	note_consequences(stmt);
	if (OidIsValid(database) && for_transaction)
	{
		wf_wake_unbar_at_end();
		wf_process_bar(database, STOP_TIMEOUT_MS);
	}
	if (!OidIsValid(database) || for_transaction)
		next(planned, text, read_only_tree, context, params, environment, to, completion);
	else
	{
		PG_TRY();
		{
			wf_process_bar(database, STOP_TIMEOUT_MS);
			next(planned, text, read_only_tree, context, params, environment, to, completion);
		}
		PG_FINALLY();
		{
			wf_process_unbar(database);
		}
		PG_END_TRY();
	}
	if (ends_prepared)	/* what it noted is forgotten, and what it held is free */
		wf_wake_look_at_everything();
}

static void
on_access(ObjectAccessType access, Oid class, Oid object, int sub_id, void *arg)
{
	if (previous_access != NULL)
		previous_access(access, class, object, sub_id, arg);
	if (class != ExtensionRelationId)
		return;
	if (access == OAT_POST_CREATE)
		wf_wake_launcher_at_commit(MyDatabaseId);	/* of any name: its row cannot be read yet */
	else if (access == OAT_DROP)
		wf_wake_look_at_commit();
}

void
wf_command_init(void)
{
	previous_utility = ProcessUtility_hook;
	ProcessUtility_hook = on_utility;
	previous_access = object_access_hook;
	object_access_hook = on_access;
}
