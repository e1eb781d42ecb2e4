/*
 * json.h: reading and writing jsonb without copies.
 *
 * The exchange value everywhere is JsonbValue: a scalar, or jbvBinary pointing at a container inside
 * somebody else's Jsonb (borrowed: it lives as long as that). jbvArray and jbvObject (trees in
 * memory) are accepted by the writer but never handed from room to room.
 */
#ifndef WF_BASE_JSON_H
#define WF_BASE_JSON_H

#include "postgres.h"
#include "utils/jsonb.h"

/* -- reading -- */

/* The root of a Jsonb as a value: its container as jbvBinary, or the scalar itself. Borrowed. */
extern void wf_json_root(const Jsonb *jsonb, JsonbValue *out);

/* Member of an object; false when `object` is no object or has no such key. Borrowed. */
extern bool wf_json_get(const JsonbValue *object, const char *key, int key_len, JsonbValue *out);

/* The same with a C string as the key. */
#define wf_json_field(object, key, out) wf_json_get((object), (key), strlen(key), (out))

/* Element of an array, from 0; false when out of range or no array. Borrowed. */
extern bool wf_json_element(const JsonbValue *array, uint32 index, JsonbValue *out);

extern bool wf_json_is_object(const JsonbValue *value);
extern bool wf_json_is_array(const JsonbValue *value);
extern bool wf_json_is_string(const JsonbValue *value);

/* Number of elements or members; 0 for a scalar. */
extern uint32 wf_json_count(const JsonbValue *value);

/* Members of an object in stored order / elements of an array, one by one:
 *   WfJsonIter it; JsonbValue key, val;
 *   wf_json_iter_begin(&it, value); while (wf_json_iter_next(&it, &key, &val)) ...
 * `key` is set for objects only. Borrowed; no allocation. */
typedef struct WfJsonIter
{
	JsonbContainer *container;
	uint32		index;
	uint32		count;
	uint32		offset_key;		/* running offsets into the container's data */
	uint32		offset_value;
	bool		is_object;
	char	   *base;
} WfJsonIter;
extern void wf_json_iter_begin(WfJsonIter *it, const JsonbValue *value);
extern bool wf_json_iter_next(WfJsonIter *it, JsonbValue *key, JsonbValue *value);

/* A string value as a C string in CurrentMemoryContext; NULL when it is no string. */
extern char *wf_json_cstring(const JsonbValue *value);
/* Member `key` as a C string, or NULL when missing or no string. */
extern char *wf_json_get_cstring(const JsonbValue *object, const char *key);
/* Member `key` as an integer; `otherwise` when it is missing or no integer within int64. */
extern int64 wf_json_get_int64(const JsonbValue *object, const char *key, int64 otherwise);
/* Member `key` as a Jsonb of its own in CurrentMemoryContext, or NULL when missing. */
extern Jsonb *wf_json_get_jsonb(const JsonbValue *object, const char *key);
/* An integer within int64; false when it is no number, has a fraction or does not fit. */
extern bool wf_json_int64(const JsonbValue *value, int64 *out);
/* A number as a double (nearest); false when it is no number. */
extern bool wf_json_double(const JsonbValue *value, double *out);
/* The name of its type as users know it: null, boolean, number, string, array, object. */
extern const char *wf_json_type_name(const JsonbValue *value);
/* Its JSON text, in CurrentMemoryContext. */
extern char *wf_json_text(const JsonbValue *value);
/* Would that text have more than (about) so many bytes? Without making it: numbers may be much longer as text. */
extern bool wf_json_text_exceeds(const JsonbValue *value, Size most);
extern bool wf_json_equal(const JsonbValue *a, const JsonbValue *b);
/* Bytes that the value takes as a Jsonb (an estimate for scalars). */
extern Size wf_json_size(const JsonbValue *value);

/* -- writing -- */

/*
 * A writer builds one Jsonb. Values that are jbvBinary are copied as bytes, never taken apart. Keys
 * may come in any order; of equal keys the last wins. Everything is in CurrentMemoryContext as of
 * wf_json_writer_begin. Nesting beyond PostgreSQL's limits throws 54000.
 */
typedef struct WfJsonWriter WfJsonWriter;
extern WfJsonWriter *wf_json_writer_begin(void);
extern void wf_json_begin_object(WfJsonWriter *w);
extern void wf_json_end_object(WfJsonWriter *w);
extern void wf_json_begin_array(WfJsonWriter *w);
extern void wf_json_end_array(WfJsonWriter *w);
extern void wf_json_key(WfJsonWriter *w, const char *key, int key_len);	/* copied */
extern void wf_json_put(WfJsonWriter *w, const JsonbValue *value);
extern void wf_json_put_jsonb(WfJsonWriter *w, const Jsonb *value);
extern void wf_json_put_cstring(WfJsonWriter *w, const char *value);	/* NULL gives null; copied */
extern void wf_json_put_string(WfJsonWriter *w, const char *value, int len);	/* copied */
extern void wf_json_put_int64(WfJsonWriter *w, int64 value);
extern void wf_json_put_bool(WfJsonWriter *w, bool value);
extern void wf_json_put_null(WfJsonWriter *w);
/* A member of the object that is open; NULL gives none. */
extern void wf_json_put_member(WfJsonWriter *w, const char *key, const Jsonb *value);
/* The members of `object` (if it is one), as members of the one that is open, but those of the names in `without`, which
 * NULL ends (NULL itself: all). */
extern void wf_json_put_members(WfJsonWriter *w, const JsonbValue *object, const char *const *without);
/* `value` with other keys and scalars, at whatever depth: put_key and put_scalar write one each. Throws what they throw. */
typedef void (*WfJsonPut) (WfJsonWriter *w, const JsonbValue *value, void *arg);
extern void wf_json_put_mapped(WfJsonWriter *w, const JsonbValue *value, WfJsonPut put_key, WfJsonPut put_scalar, void *arg);
extern Jsonb *wf_json_finish(WfJsonWriter *w);	/* frees the writer */

/* key + value in one call; `key` is a C string */
#define wf_json_put_field(w, key, value) (wf_json_key(w, key, strlen(key)), wf_json_put(w, value))
#define wf_json_put_field_cstring(w, key, value) (wf_json_key(w, key, strlen(key)), wf_json_put_cstring(w, value))
#define wf_json_put_field_int64(w, key, value) (wf_json_key(w, key, strlen(key)), wf_json_put_int64(w, value))
#define wf_json_put_field_bool(w, key, value) (wf_json_key(w, key, strlen(key)), wf_json_put_bool(w, value))

/* A value (borrowed or tree) as a Jsonb of its own in CurrentMemoryContext. */
extern Jsonb *wf_json_copy(const JsonbValue *value);
/* `{}` and null as Jsonb in CurrentMemoryContext. */
extern Jsonb *wf_json_empty_object(void);
extern Jsonb *wf_json_null(void);
/* Parses text; throws 22P02. */
extern Jsonb *wf_json_parse(const char *text);
/*
 * Runs make(arg) in a context that is deleted afterwards; its value is in CurrentMemoryContext. NULL when it threw what is
 * wrong with data (class 22), too much for a value (class 54), or an allocation that can't be made; *sqlstate says so.
 * Everything else goes on being thrown. make() may use nothing but memory. (json_guard.c)
 */
extern Jsonb *wf_json_guarded(Jsonb *(*make) (void *arg), void *arg, int *sqlstate);
/* Parses text that is not trusted; NULL as wf_json_guarded. */
extern Jsonb *wf_json_try_parse(char *text, int *sqlstate);
/* A scalar made in place. wf_json_set_string borrows its text. */
extern void wf_json_set_string(JsonbValue *out, const char *text, int len);
extern void wf_json_set_bool(JsonbValue *out, bool value);
extern void wf_json_set_int64(JsonbValue *out, int64 value);
extern void wf_json_set_null(JsonbValue *out);

#endif
