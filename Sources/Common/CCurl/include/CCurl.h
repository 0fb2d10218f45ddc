// libcurl for Swift: the variadic functions, once for each type of argument. Everything else is imported as it is.
#pragma once
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

typedef size_t (*argus_curl_data_function)(char *data, size_t size, size_t count, void *context);

CURLcode argus_curl_set_long(CURL *easy, CURLoption option, long value);
CURLcode argus_curl_set_size(CURL *easy, CURLoption option, curl_off_t value);
/// libcurl copies the string, except for CURLOPT_POSTFIELDS.
CURLcode argus_curl_set_string(CURL *easy, CURLoption option, const char *value);
CURLcode argus_curl_set_pointer(CURL *easy, CURLoption option, void *value);
CURLcode argus_curl_set_function(CURL *easy, CURLoption option, argus_curl_data_function value);
CURLcode argus_curl_get_long(CURL *easy, CURLINFO info, long *value);
CURLcode argus_curl_get_size(CURL *easy, CURLINFO info, curl_off_t *value);
CURLcode argus_curl_get_pointer(CURL *easy, CURLINFO info, void **value);
CURLMcode argus_curl_multi_set_long(CURLM *multi, CURLMoption option, long value);
/// Lets a cancelled transfer leave its name look-up behind instead of waiting for it; nothing before libcurl 7.87.
void argus_curl_leave_resolver(CURL *easy);
