/*
 * row_trigger.c: wf.row_trigger(), which the triggers on users' tables call.
 */
#include "postgres.h"

#include "api/api.h"
#include "base/compat.h"
#include "commands/trigger.h"
#include "engine/engine.h"
#include "utils/memutils.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_row_trigger);

/* AFTER: what it returns is ignored. INSTEAD OF: the row, when something was done with it. */
Datum
wf_sql_row_trigger(PG_FUNCTION_ARGS)
{
	const TriggerData *data = (const TriggerData *) fcinfo->context;
	MemoryContext memory;
	MemoryContext old;
	bool		is_done;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("wf.row_trigger() must be called as a trigger")));
	memory = AllocSetContextCreate(CurrentMemoryContext, "workflow firing", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(memory);
	is_done = wf_engine_row_changed(data);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
	if (!TRIGGER_FIRED_INSTEAD(data->tg_event) || !is_done)
		return PointerGetDatum(NULL);
	return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(data->tg_event) ? data->tg_newtuple : data->tg_trigtuple);
}
