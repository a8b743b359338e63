package repo_test
import ("testing";"os";"context";"time"
"github.com/org/pgo-release/internal/repo"
"github.com/org/pgo-release/internal/run"
"github.com/org/pgo-release/internal/gobuild"
"github.com/org/pgo-release/internal/plan"
)
func TestTry(t *testing.T){
 ctx:=context.Background()
 r:=run.New(os.Environ())
 t0:=time.Now()
 rp,err:=repo.Open(ctx,r,"../../testdata/hello",false)
 if err!=nil {t.Fatal(err)}
 f,err:=rp.Facts(ctx,"v1.2.3")
 if err!=nil {t.Fatal(err)}
 tc,err:=gobuild.Probe(ctx,r,"../../testdata/hello")
 if err!=nil {t.Fatal(err)}
 f.Toolchain, f.Ports = tc.Version, tc.Ports
 f.Dirty=""
 p,err:=plan.New(plan.Config{Platforms:[]string{"linux/amd64"}},f)
 if err!=nil {t.Fatal(err)}
 t.Log(time.Since(t0))
 j,_:=p.JSON(); t.Logf("%s",j)
 c,err:=rp.Clone(ctx,p)
 if err!=nil {t.Fatal(err)}
 defer c.Remove()
 out:=t.TempDir()+"/hello"
 if err:=tc.Compile(ctx,c.Module,p.Units[0],false,true,out);err!=nil{t.Fatal(err)}
 s,err:=gobuild.ReadStamp(out)
 t.Log(s,err, s.Check(p))
}
