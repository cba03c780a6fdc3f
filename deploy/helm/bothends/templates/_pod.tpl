{{/* A setting's value as the environment has it. Helm reads every number as a float, and would write a large one as 4e+06. */}}
{{- define "bothends.setting" -}}
{{- if kindIs "slice" . }}
{{- join "," . }}
{{- else if kindIs "float64" . }}
{{- if eq (floor .) . }}{{ int64 . }}{{ else }}{{ toString . }}{{ end }}
{{- else }}
{{- toString . }}
{{- end }}
{{- end }}

{{/*
Models as the server and the pod want them: `bundle` is the value of BOTHENDS_BUNDLE, beside it `volumes` and `mounts`.
A volume that several models share is mounted once.
*/}}
{{- define "bothends.models" -}}
{{- $bundles := list }}
{{- $volumes := list }}
{{- $mounts := list }}
{{- $folders := dict }}
{{- $named := or (gt (len .Values.models) 1) (ne (dig "name" "" (default dict (first .Values.models))) "") }}
{{- range $index, $model := .Values.models }}
{{- if and $named (not .name) }}
{{- fail "models: each of several models needs a name" }}
{{- end }}
{{- if and .settings (not $named) }}
{{- fail "models: settings of a model need its name; those of the only one stand under the value settings" }}
{{- end }}
{{- if and .path (not .volume) }}
{{- fail "models: a path is one in a volume" }}
{{- end }}
{{- $folder := "" }}
{{- if .volume }}
{{- $key := toJson .volume | sha256sum }}
{{- if not (hasKey $folders $key) }}
{{- $volume := ternary (printf "bundle-%d" $index) "bundle" $named }}
{{- $mount := ternary (printf "/bundles/%s" .name) "/bundle" $named }}
{{- $_ := set $folders $key $mount }}
{{- $volumes = append $volumes (merge (dict "name" $volume) .volume) }}
{{- $mounts = append $mounts (dict "name" $volume "mountPath" $mount "readOnly" true) }}
{{- end }}
{{- $folder = ternary (printf "%s/%s" (get $folders $key) (trimAll "/" (default "" .path))) (get $folders $key) (not (empty .path)) }}
{{- end }}
{{- $own := list }}
{{- range $setting, $value := .settings }}
{{- $own = append $own (printf "%s=%s" $setting (include "bothends.setting" $value)) }}
{{- end }}
{{- $bundle := ternary (printf "%s=%s" .name $folder) $folder $named }}
{{- $bundles = append $bundles (ternary (printf "%s?%s" $bundle (join "&" $own)) $bundle (not (empty $own))) }}
{{- end }}
{{- dict "bundle" (join "," $bundles) "volumes" $volumes "mounts" $mounts | toYaml }}
{{- end }}

{{/* What the container reads from its environment. `extraEnv` comes last, and wins. */}}
{{- define "bothends.env" -}}
{{- range $name, $value := .Values.settings }}
{{- if not (kindIs "invalid" $value) }}
- {name: BOTHENDS_{{ upper $name }}, value: {{ include "bothends.setting" $value | quote }}}
{{- end }}
{{- end }}
- {name: BOTHENDS_HEALTH_PORT, value: "8081"}
{{- with (include "bothends.models" . | fromYaml).bundle }}
- {name: BOTHENDS_BUNDLE, value: {{ quote . }}}
{{- end }}
{{- if .Values.gpu.enabled }}
{{- if not (hasKey .Values.settings "device") }}
- {name: BOTHENDS_DEVICE, value: cuda} # or nothing starts: never a CPU in its place
{{- end }}
- {name: NVIDIA_DRIVER_CAPABILITIES, value: "compute,utility"}
- {name: NVIDIA_REQUIRE_CUDA, value: {{ quote .Values.gpu.requireCuda }}} # a driver that is too old is said by the runtime
{{- else if and (dig "limits" "cpu" "" (default dict .Values.resources)) (not (hasKey .Values.settings "workers")) }}
- name: BOTHENDS_WORKERS # it sees the node's cores, not its limit
  valueFrom:
    resourceFieldRef: {resource: limits.cpu, divisor: "1"}
{{- end }}
{{- if include "bothends.keysSecret" . }}
- {name: BOTHENDS_API_KEYS, value: "/keys/{{ .Values.apiKeys.key }}"}
{{- end }}
{{- if and .Values.tls.clientCA.enabled (not .Values.tls.existingSecret) }}
{{- fail "tls: clientCA.enabled asks callers for certificates, and the server has none itself without existingSecret" }}
{{- end }}
{{- if .Values.tls.existingSecret }}
- {name: BOTHENDS_TLS_CERT, value: /tls/tls.crt}
- {name: BOTHENDS_TLS_KEY, value: /tls/tls.key}
{{- with .Values.tls.clientCA }}
{{- if .enabled }}
- {name: BOTHENDS_TLS_CLIENT_CA, value: "{{ ternary "/client-ca" "/tls" (not (empty .existingSecret)) }}/{{ .key }}"}
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.tracing.enabled }}
- {name: BOTHENDS_TRACING, value: "true"}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ quote .Values.tracing.endpoint }}}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Folders, not files, are mounted: a changed Secret shows there, and is read anew. */}}
{{- define "bothends.mounts" -}}
{{- with (include "bothends.models" . | fromYaml).mounts }}
{{ toYaml . }}
{{- end }}
{{- if include "bothends.keysSecret" . }}
- {name: keys, mountPath: /keys, readOnly: true}
{{- end }}
{{- if .Values.tls.existingSecret }}
- {name: tls, mountPath: /tls, readOnly: true}
{{- if and .Values.tls.clientCA.enabled .Values.tls.clientCA.existingSecret }}
- {name: client-ca, mountPath: /client-ca, readOnly: true}
{{- end }}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "bothends.volumes" -}}
{{- with (include "bothends.models" . | fromYaml).volumes }}
{{ toYaml . }}
{{- end }}
{{- with include "bothends.keysSecret" . }}
- name: keys
  secret: {secretName: {{ . }}}
{{- end }}
{{- with .Values.tls }}
{{- if .existingSecret }}
- name: tls
  secret: {secretName: {{ .existingSecret }}}
{{- if and .clientCA.enabled .clientCA.existingSecret }}
- name: client-ca
  secret: {secretName: {{ .clientCA.existingSecret }}}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
