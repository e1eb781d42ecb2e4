/*
 * secret.c: what a request says of the secrets in it.
 *
 * The markers are in its texts; "nonce" says which of them are real, and "secrets" which names the step has used. Whoever
 * sends it opens these secrets and no others: a name that data brought in, should anybody have learned the nonce of a
 * request that waits, leads to nothing.
 */
#include "postgres.h"

#include "block/block.h"

void
wf_block_put_secrets(const WfStep *step, WfJsonWriter *w)
{
	ListCell   *cell;

	if (step->secret_nonce[0] == '\0')
		return;
	wf_json_put_field_cstring(w, "nonce", step->secret_nonce);
	wf_json_key(w, "secrets", strlen("secrets"));
	wf_json_begin_array(w);
	foreach(cell, step->secret_names)
		wf_json_put_cstring(w, lfirst(cell));
	wf_json_end_array(w);
}

void
wf_block_take_secrets(WfStep *step, const JsonbValue *request)
{
	char	   *nonce = wf_json_get_cstring(request, "nonce");
	MemoryContext old = MemoryContextSwitchTo(step->state_memory);
	JsonbValue	names;
	JsonbValue	name;
	WfJsonIter	it;

	if (nonce != NULL && wf_marker_is_nonce(nonce))
	{
		strlcpy(step->secret_nonce, nonce, sizeof(step->secret_nonce));
		step->secret_names = NIL;
		if (wf_json_field(request, "secrets", &names) && wf_json_is_array(&names))
		{
			wf_json_iter_begin(&it, &names);
			while (wf_json_iter_next(&it, NULL, &name))
				if (wf_json_is_string(&name))
					step->secret_names = lappend(step->secret_names, wf_json_cstring(&name));
		}
	}
	MemoryContextSwitchTo(old);
}
