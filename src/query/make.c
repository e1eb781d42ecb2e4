/*
 * make.c: a statement from a config, and what can be said of it before it runs.
 *
 * Both walks here are the walk of the execution with complaints gathered (text.c): wf_query_make
 * without the catalog, for what is wrong whatever it holds, and wf_query_check with it, in a subtransaction,
 * because looking things up may throw and may take locks.
 */
#include "query/internal.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* The graph's memory goes away: so do the plans. */
static void
drop_variants(void *arg)
{
	WfStatement *statement = arg;

	for (int i = 0; i < statement->n_variants; i++)
		wf_query_plan_drop(statement->variants[i]->plan);
	statement->n_variants = 0;
}

static bool
is_bulk(WfQueryKind kind)
{
	return kind == WF_QUERY_BULK_CREATE || kind == WF_QUERY_BULK_UPDATE || kind == WF_QUERY_BULK_DELETE;
}

WfStatement *
wf_query_make(WfQueryKind kind, const WfTemplate *config, const char *search_path, const char *node,
			  const char *path, WfDiagnostics *found)
{
	WfStatement *statement = palloc0(sizeof(WfStatement));
	MemoryContext scratch;
	MemoryContext old;
	WfBuild		b;
	WfConfigPart items;

	statement->kind = kind;
	statement->config = config;
	statement->search_path = pstrdup(search_path != NULL ? search_path : "");
	statement->node = pstrdup(node != NULL ? node : "");
	statement->path = pstrdup(path != NULL ? path : "$");
	statement->memory = CurrentMemoryContext;
	statement->on_reset.func = drop_variants;
	statement->on_reset.arg = statement;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &statement->on_reset);

	scratch = AllocSetContextCreate(CurrentMemoryContext, "workflow statement check", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(scratch);
	wf_query_build_begin(&b, statement);
	statement->by_items = is_bulk(kind) && wf_query_part_config(&b, "items", &items);
	b.found = found;
	b.wild = true;
	wf_query_build(&b);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	return statement;
}

/* Sets the version's search_path until AtEOXact_GUC of the level returned. */
int
wf_query_push_search_path(const char *search_path)
{
	int			level = NewGUCNestLevel();

	if (search_path[0] != '\0')
		(void) set_config_option("search_path", search_path, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	return level;
}

/* Walks with the catalog; parses what the walk cannot judge. */
static void
look(WfStatement *statement, WfDiagnostics *found)
{
	WfBuild		b;
	Oid		   *types;
	bool		must_parse;

	wf_query_build_begin(&b, statement);
	b.found = found;
	wf_query_build(&b);
	if (b.n_complaints > 0 || b.incomplete || statement->by_items)
		return;
	must_parse = statement->kind == WF_QUERY_SQL || statement->kind == WF_QUERY_CALL;
	types = palloc(sizeof(Oid) * (b.n_params + 1));
	for (int i = 0; i < b.n_params; i++)
	{
		types[i] = b.params[i].type;
		must_parse = must_parse || types[i] == UNKNOWNOID;
	}
	if (must_parse)
		wf_query_infer(b.sql.data, b.n_params, types);
}

void
wf_query_check(WfStatement *statement, const char *node, const char *path, WfDiagnostics *found)
{
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext scratch = AllocSetContextCreate(memory, "workflow statement check", ALLOCSET_SMALL_SIZES);
	int			level;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(scratch);
	PG_TRY();
	{
		level = wf_query_push_search_path(statement->search_path);
		look(statement, found);
		AtEOXact_GUC(true, level);
		/* its locks go with it */
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(scratch);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(memory);
		CurrentResourceOwner = owner;
		if (wf_error_is_fatal(error->sqlerrcode))
			ReThrowError(error);
		wf_diagnostics_add(found, WF_SEVERITY_WARNING, error->sqlerrcode, node, path, error->hint, "%s",
						   error->message);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
	MemoryContextDelete(scratch);
}
