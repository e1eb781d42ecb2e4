/*
 * mask.h: values that were put into a request, where they come back. Private to this room.
 */
#ifndef WF_DISPATCH_MASK_H
#define WF_DISPATCH_MASK_H

#include "postgres.h"
#include "base/error.h"
#include "base/json.h"
#include "base/secret_marker.h"

/* Shorter values are not looked for: they would be found everywhere. */
#define WF_MASK_LEAST_BYTES 8

typedef struct WfMask WfMask;

/* Looks for these values, and for `token` (or NULL); in CurrentMemoryContext, which wipes it. NULL: there is nothing to look for.
 * All others take NULL, and find nothing then. */
extern WfMask *wf_mask_make(const WfSecretValue *values, int n_values, const char *token);
extern bool wf_mask_finds(const WfMask *mask, const char *text, size_t bytes);
/* Puts *** in the place of each, where the text is; returns how many bytes it has then. */
extern size_t wf_mask_bytes(const WfMask *mask, char *text, size_t bytes);
/* The text itself, or a copy with ***. */
extern const char *wf_mask_text(const WfMask *mask, const char *text);
/* The bytes of the longest that is looked for. */
extern size_t wf_mask_longest(const WfMask *mask);
/* A copy with *** within strings and keys, and for numbers whose text has one. */
extern Jsonb *wf_mask_json(const WfMask *mask, const Jsonb *json);
/* Masks its texts and details. */
extern void wf_mask_error(const WfMask *mask, WfError *error);

#endif
