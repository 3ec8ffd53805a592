# build/endurance/<part>.csv -> <part>.svg: memory, threads and descriptors over the time of the sound.
set datafile separator ","
set terminal svg size 860,380 font "sans,11" background "white"
set output sprintf("build/endurance/%s.svg", part)
set title part eq "live" ? "The daemon in real time, through PyAudio" : "The pipeline, faster than real time"
set xlabel "sound heard [h]"
set ylabel "resident memory [MiB]"
set y2label "threads, descriptors"
set yrange [0:*]
set y2range [0:*]
set ytics nomirror
set y2tics
set key bottom right
set grid
plot sprintf("build/endurance/%s.csv", part) using 1:2 skip 1 with lines lw 2 title "memory", \
     "" using 1:3 skip 1 axes x1y2 with lines title "threads", \
     "" using 1:4 skip 1 axes x1y2 with lines title "descriptors"
