/*
 * json_guard.c: making JSON of what is not trusted, without an error for what is wrong with it.
 *
 * It is done under a PG_TRY without a subtransaction. That is safe because jsonb_in and the writer use memory and nothing
 * else: no locks, no buffers, no catalogs, no references that a resource owner counts. What they can throw is of class 22
 * (malformed), of class 54 (too large, too deep), or the refusal of an allocation beyond 1 GB; only these are caught.
 */
#include "postgres.h"

#include "base/json.h"
#include "utils/memutils.h"

Jsonb *
wf_json_guarded(Jsonb *(*make) (void *arg), void *arg, int *sqlstate)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext memory = AllocSetContextCreate(caller, "guarded JSON", ALLOCSET_DEFAULT_SIZES);
	Jsonb	   *volatile made = NULL;
	Jsonb	   *copy = NULL;

	*sqlstate = 0;
	MemoryContextSwitchTo(memory);
	PG_TRY();
	{
		made = make(arg);
	}
	PG_CATCH();
	{
		int			category = ERRCODE_TO_CATEGORY(geterrcode());

		*sqlstate = geterrcode();
		if (category != ERRCODE_DATA_EXCEPTION && category != ERRCODE_PROGRAM_LIMIT_EXCEEDED &&
			*sqlstate != ERRCODE_INTERNAL_ERROR)
			PG_RE_THROW();
		MemoryContextSwitchTo(caller);
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	if (made != NULL)
	{
		copy = palloc(VARSIZE(made));
		memcpy(copy, made, VARSIZE(made));
	}
	MemoryContextDelete(memory);
	return copy;
}

static Jsonb *
parse(void *arg)
{
	return wf_json_parse(arg);
}

Jsonb *
wf_json_try_parse(char *text, int *sqlstate)
{
	return wf_json_guarded(parse, text, sqlstate);
}
