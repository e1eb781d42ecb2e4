/*
 * mask_json.c: values of secrets within values of JSON, and in errors.
 *
 * What is found in a string or key is masked there; a number whose text has a secret becomes the string "***". One that is longer
 * than any secret that is a number is not looked at: a few bytes may stand for 100 kB.
 */
#include "postgres.h"

#include "dispatch/mask.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#define MOST_NUMBER_BYTES 4096

typedef struct Walk
{
	const WfMask *mask;
	MemoryContext memory;		/* of a text that is looked at */
} Walk;

/* A string or key, masked; in the walk's memory unless it is as it was. */
static const char *
masked_string(Walk *walk, const JsonbValue *string, int *len)
{
	char	   *copy;

	*len = string->val.string.len;
	if (!wf_mask_finds(walk->mask, string->val.string.val, *len))
		return string->val.string.val;
	copy = MemoryContextAlloc(walk->memory, *len + 1);
	memcpy(copy, string->val.string.val, *len);
	*len = (int) wf_mask_bytes(walk->mask, copy, *len);
	return copy;
}

/* Does the text of a number have a secret in it? */
static bool
tells(Walk *walk, const JsonbValue *scalar)
{
	MemoryContext old;
	const char *text;

	if (scalar->type != jbvNumeric || wf_json_text_exceeds(scalar, MOST_NUMBER_BYTES))
		return false;
	old = MemoryContextSwitchTo(walk->memory);
	text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(scalar->val.numeric)));
	MemoryContextSwitchTo(old);
	return wf_mask_finds(walk->mask, text, strlen(text));
}

static void
put_key(WfJsonWriter *w, const JsonbValue *key, void *arg)
{
	Walk	   *walk = arg;
	int			len;
	const char *text = masked_string(walk, key, &len);

	wf_json_key(w, text, len);
}

static void
put_scalar(WfJsonWriter *w, const JsonbValue *scalar, void *arg)
{
	Walk	   *walk = arg;
	int			len = 3;
	const char *text = scalar->type == jbvString ? masked_string(walk, scalar, &len) : tells(walk, scalar) ? "***" : NULL;

	if (text != NULL)
		wf_json_put_string(w, text, len);
	else
		wf_json_put(w, scalar);
	MemoryContextReset(walk->memory);
}

Jsonb *
wf_mask_json(const WfMask *mask, const Jsonb *json)
{
	WfJsonWriter *w = wf_json_writer_begin();
	Walk		walk = {.mask = mask};
	JsonbValue	root;
	Jsonb	   *made;

	walk.memory = AllocSetContextCreate(CurrentMemoryContext, "workflow text of an answer", ALLOCSET_DEFAULT_SIZES);
	wf_json_root(json, &root);
	wf_json_put_mapped(w, &root, put_key, put_scalar, &walk);
	made = wf_json_finish(w);
	MemoryContextDelete(walk.memory);
	return made;
}

void
wf_mask_error(const WfMask *mask, WfError *error)
{
	if (mask == NULL || error == NULL)
		return;
	error->message = wf_mask_text(mask, error->message);
	error->detail = wf_mask_text(mask, error->detail);
	error->hint = wf_mask_text(mask, error->hint);
	if (error->details != NULL)
	{
		JsonbValue *details = palloc(sizeof(JsonbValue));

		wf_json_root(wf_mask_json(mask, wf_json_copy(error->details)), details);
		error->details = details;
	}
}
