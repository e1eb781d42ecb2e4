/*
 * compat.h: the differences between PostgreSQL 15 to 18, in one place.
 *
 * PG_VERSION_NUM appears in this file only; the shims emulate the newest API. Include it after
 * postgres.h.
 */
#ifndef WF_BASE_COMPAT_H
#define WF_BASE_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "workflow needs PostgreSQL 15 or later"
#endif

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* Whether a role may execute a function; PG 16 has one check for all kinds of objects. Users include
 * utils/acl.h and catalog/pg_proc.h. */
#if PG_VERSION_NUM >= 160000
#define wf_compat_may_execute(function, role) \
	(object_aclcheck(ProcedureRelationId, (function), (role), ACL_EXECUTE) == ACLCHECK_OK)
#else
#define wf_compat_may_execute(function, role) (pg_proc_aclcheck((function), (role), ACL_EXECUTE) == ACLCHECK_OK)
#endif

/* Makes the index entries of a tuple that was inserted; users include executor/executor.h. */
#if PG_VERSION_NUM >= 160000
#define wf_compat_insert_index_entries(target, slot, estate) \
	ExecInsertIndexTuples((target), (slot), (estate), false, false, NULL, NIL, false)
#else
#define wf_compat_insert_index_entries(target, slot, estate) \
	ExecInsertIndexTuples((target), (slot), (estate), false, false, NULL, NIL)
#endif

/* Takes a heavyweight lock if it is to be had at once; users include storage/lock.h. */
#if PG_VERSION_NUM >= 180000
#define wf_compat_try_lock(tag, mode) LockAcquireExtended((tag), (mode), false, true, false, NULL, false)
#else
#define wf_compat_try_lock(tag, mode) LockAcquireExtended((tag), (mode), false, true, false, NULL)
#endif

/* PG 18 can count what index scans do; users include access/genam.h. */
#if PG_VERSION_NUM >= 180000
#define wf_compat_index_scan(heap, index, snapshot, n_keys) index_beginscan((heap), (index), (snapshot), NULL, (n_keys), 0)
#else
#define wf_compat_index_scan(heap, index, snapshot, n_keys) index_beginscan((heap), (index), (snapshot), (n_keys), 0)
#endif

/* The same change: CONNECT on a database; ownership of a database and of an extension. */
#if PG_VERSION_NUM >= 160000
#define wf_compat_may_connect(database, role) \
	(object_aclcheck(DatabaseRelationId, (database), (role), ACL_CONNECT) == ACLCHECK_OK)
#define wf_compat_owns_database(database, role) object_ownercheck(DatabaseRelationId, (database), (role))
#define wf_compat_owns_extension(extension, role) object_ownercheck(ExtensionRelationId, (extension), (role))
#else
#define wf_compat_may_connect(database, role) (pg_database_aclcheck((database), (role), ACL_CONNECT) == ACLCHECK_OK)
#define wf_compat_owns_database(database, role) pg_database_ownercheck((database), (role))
#define wf_compat_owns_extension(extension, role) pg_extension_ownercheck((extension), (role))
#endif

/* PG_MODULE_MAGIC_EXT is in 18 only. */
#if PG_VERSION_NUM < 180000
#define PG_MODULE_MAGIC_EXT(...) PG_MODULE_MAGIC
#endif

/* PG 18 marks functions that do not return in front; before it there was an attribute behind. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

/* PG 18 wraps the list of RETURNING of a parsed statement. */
#if PG_VERSION_NUM >= 180000
#define wf_compat_returning(stmt) ((stmt)->returningClause != NULL ? (stmt)->returningClause->exprs : NIL)
#else
#define wf_compat_returning(stmt) ((stmt)->returningList)
#endif

/* A set of events to wait for, for as long as the process lives or until it is freed; users include storage/latch.h (and, with
 * PG 18, storage/waiteventset.h, which that includes). PG 17 ties it to a resource owner instead of a memory context. */
#if PG_VERSION_NUM >= 170000
#define wf_compat_wait_event_set(n_events) CreateWaitEventSet(NULL, (n_events))
#else
#define wf_compat_wait_event_set(n_events) CreateWaitEventSet(TopMemoryContext, (n_events))
#endif

/* Columns that are computed when they are read, in PG 18; users include catalog/pg_attribute.h. */
#if PG_VERSION_NUM >= 180000
#define WF_COMPAT_IS_VIRTUAL(generated) ((generated) == ATTRIBUTE_GENERATED_VIRTUAL)
#else
#define WF_COMPAT_IS_VIRTUAL(generated) false
#endif

/* Foreign tables have TRUNCATE triggers since PG 16. */
#if PG_VERSION_NUM >= 160000
#define WF_COMPAT_FOREIGN_TRUNCATE true
#else
#define WF_COMPAT_FOREIGN_TRUNCATE false
#endif

/* Says when a trigger and its clones fire; users include commands/trigger.h. */
#if PG_VERSION_NUM >= 160000
#define wf_compat_enable_trigger(relation, name, fires, lock) \
	EnableDisableTrigger((relation), (name), InvalidOid, (fires), false, true, (lock))
#else
#define wf_compat_enable_trigger(relation, name, fires, lock) \
	EnableDisableTriggerNew2((relation), (name), InvalidOid, (fires), false, true, (lock))
#endif

/* USAGE on a schema; a privilege on a table has one function in all versions. */
#if PG_VERSION_NUM >= 160000
#define wf_compat_may_use_schema(schema, role) \
	(object_aclcheck(NamespaceRelationId, (schema), (role), ACL_USAGE) == ACLCHECK_OK)
#define wf_compat_owns_table(relation, role) object_ownercheck(RelationRelationId, (relation), (role))
#else
#define wf_compat_may_use_schema(schema, role) (pg_namespace_aclcheck((schema), (role), ACL_USAGE) == ACLCHECK_OK)
#define wf_compat_owns_table(relation, role) pg_class_ownercheck((relation), (role))
#endif

/* This backend's transaction, counted; users include storage/proc.h. */
#if PG_VERSION_NUM >= 170000
#define WF_COMPAT_LXID() (MyProc->vxid.lxid)
#else
#define WF_COMPAT_LXID() (MyProc->lxid)
#endif

/* For #if in net/, which alone includes curl.h: the libcurl that is compiled against (of one that is not read: yes). */
#define WF_COMPAT_CURL_AT_LEAST(major, minor, patch) \
	(LIBCURL_VERSION_NUM == 0 || LIBCURL_VERSION_NUM >= ((major) << 16 | (minor) << 8 | (patch)))

/* transaction_timeout came with 17. */
#if PG_VERSION_NUM >= 170000
#define wf_compat_transaction_timed_out() (TransactionTimeoutPending != 0)
#else
#define wf_compat_transaction_timed_out() false
#endif

#endif
