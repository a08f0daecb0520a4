{{- define "tidegate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* `tidegate` if the release is called so, else RELEASE-tidegate. */}}
{{- define "tidegate.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "tidegate.name" .) .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "tidegate.name" .) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "tidegate.selector" -}}
app.kubernetes.io/name: {{ include "tidegate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tidegate.labels" -}}
{{ include "tidegate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "tidegate.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "tidegate.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "tidegate.image" -}}
{{- $repository := required "image.repository is needed: where this cluster pulls tidegate from, such as myregistry.azurecr.io/tidegate" .Values.image.repository }}
{{- $image := printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) }}
{{- with .Values.image.digest }}{{ $image = printf "%s@%s" $image . }}{{ end }}
{{- $image }}
{{- end }}

{{/* Rules across values, which the schema cannot say in words. */}}
{{- define "tidegate.validate" -}}
{{- $azure := .Values.azure }}
{{- if and (eq $azure.credential "workload-identity") (not $azure.clientId) }}
{{- fail "azure.clientId is needed with azure.credential workload-identity: the client id of the managed identity or application that trusts this cluster's service account" }}
{{- end }}
{{- if eq $azure.credential "client-secret" }}
{{- range $name, $value := dict "azure.tenantId" $azure.tenantId "azure.clientId" $azure.clientId "azure.clientSecret.name" $azure.clientSecret.name }}
{{- if not $value }}{{ fail (printf "%s is needed with azure.credential client-secret" $name) }}{{ end }}
{{- end }}
{{- end }}
{{- $seen := dict }}
{{- range .Values.kubeconfigSecrets }}
{{- if hasKey $seen .namespace }}{{ fail (printf "kubeconfigSecrets: namespace %s is listed twice; put all names into one entry" .namespace) }}{{ end }}
{{- $_ := set $seen .namespace true }}
{{- end }}
{{- end }}
