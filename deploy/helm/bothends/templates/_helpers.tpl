{{- define "bothends.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Name of all objects, short enough for a Service's with -headless behind it. */}}
{{- define "bothends.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $release := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- default $release .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- end }}

{{/* Labels by which everything finds the pods; they never change. */}}
{{- define "bothends.selectorLabels" -}}
app.kubernetes.io/name: {{ include "bothends.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "bothends.labels" -}}
{{ include "bothends.selectorLabels" . }}
{{ include "bothends.ownLabels" . }}
{{- end }}

{{/* Labels that select nothing. */}}
{{- define "bothends.ownLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Metadata of an object: its name, or `suffix` behind the common one. Called with (list $ suffix). */}}
{{- define "bothends.metadata" -}}
{{- $root := first . -}}
name: {{ include "bothends.fullname" $root }}{{ last . }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "bothends.labels" $root | nindent 2 }}
{{- end }}

{{- define "bothends.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- $own := printf "%s%s" $.Chart.AppVersion (ternary "-gpu" "" $.Values.gpu.enabled) }}
{{- printf "%s:%s" .repository (default $own .tag) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Name of the service account; empty for the namespace's default one. */}}
{{- define "bothends.serviceAccountName" -}}
{{- default (ternary (include "bothends.fullname" .) "" .Values.serviceAccount.create) .Values.serviceAccount.name }}
{{- end }}

{{/* Address of gRPC within the cluster. */}}
{{- define "bothends.target" -}}
{{- printf "%s-headless.%s.svc:%v" (include "bothends.fullname" .) .Release.Namespace .Values.service.ports.grpc }}
{{- end }}

{{- define "bothends.serverName" -}}
{{- default (printf "%s-headless.%s.svc" (include "bothends.fullname" .) .Release.Namespace) .Values.tls.serverName }}
{{- end }}

{{/* Secret with the file of API keys; empty where none is asked for. */}}
{{- define "bothends.keysSecret" -}}
{{- $own := ternary (printf "%s-keys" (include "bothends.fullname" .)) "" (not (empty .Values.apiKeys.inline)) }}
{{- default $own .Values.apiKeys.existingSecret }}
{{- end }}

{{/* Whether there is a pod for `helm test`: not where callers need a certificate and it has none. */}}
{{- define "bothends.tested" -}}
{{- $mutual := and .Values.tls.existingSecret .Values.tls.clientCA.enabled }}
{{- if and .Values.tests.enabled (or (not $mutual) .Values.tests.clientSecret) }}true{{ end }}
{{- end }}
